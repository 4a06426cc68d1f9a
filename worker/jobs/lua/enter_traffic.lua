-- Take a seat at a model, or learn why there is none.
-- ARGV: job, its queue, since when it waits, most calls in flight, lease_s, whether it only knocks.

local queue, since = ARGV[2], ARGV[3]
local most, lease_s, knocks = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'

free_lapsed_seats()
local taken = redis.call('ZCARD', SEATS)
local has_seat = redis.call('ZSCORE', SEATS, WHO)
local opened_until = state('opened_until')
if opened_until > NOW then
  return { 'circuit-open', stamp(opened_until - NOW), wait(queue, since) }
end
if opened_until > 0 then
  -- One job tries whether the model works again; the others wait for what it finds.
  if taken > 0 and not has_seat then
    return { 'circuit-open', '1', wait(queue, since) }
  end
elseif knocks then
  return { 'free' }
end
if taken >= limit_below(most) and not has_seat then
  return { 'model-busy', '0', wait(queue, since) }
end
redis.call('ZADD', SEATS, stamp(NOW + lease_s), WHO)
if not knocks then
  -- For those who watch: it is the profile's, which they do not know.
  redis.call('HSET', STATE, 'most', most)
end
wait_no_more(WHO)
return { 'seated', share_of(most), state('images') }
