-- Take a seat at a model, or learn why there is none.
-- ARGV: job, since when it waits, most calls in flight, lease_s; lease_s 0 asks without taking one.

local since, most, lease_s = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

redis.call('ZREMRANGEBYSCORE', SEATS, '-inf', stamp(NOW))
local taken = redis.call('ZCARD', SEATS)
local opened_until = state('opened_until')
if opened_until > NOW then
  return { 'circuit-open', stamp(opened_until - NOW), wait(since) }
end
if opened_until > 0 and taken > 0 then
  -- One job tries whether the model works again; the others wait for what it finds.
  return { 'circuit-open', '1', wait(since) }
end
if lease_s == 0 then
  return { 'free' }
end
if taken >= limit_below(most) and not redis.call('ZSCORE', SEATS, WHO) then
  return { 'model-busy', '0', wait(since) }
end
redis.call('ZADD', SEATS, stamp(NOW + lease_s), WHO)
-- For those who watch: it is the profile's, which they do not know.
redis.call('HSET', STATE, 'most', most)
wait_no_more()
return { 'seated', math.max(1, math.floor(limit_below(most) / redis.call('ZCARD', SEATS))), state('images') }
