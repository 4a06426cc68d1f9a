-- Give a seat up and say how the model fared: 'worked', 'failed', or anything else for neither.
-- ARGV: job, outcome, failures that open the circuit, first and longest seconds that it is open.

local outcome, enough = ARGV[2], tonumber(ARGV[3])
local first_s, longest_s = tonumber(ARGV[4]), tonumber(ARGV[5])

redis.call('ZREM', SEATS, WHO)
wait_no_more()
if outcome == 'worked' then
  redis.call('HDEL', STATE, 'failures', 'opened_until', 'open_s')
  return '0'
end
if outcome ~= 'failed' then
  return '0'
end
local failures = redis.call('HINCRBY', STATE, 'failures', 1)
if failures < enough then
  return '0'
end
local open_s = math.min(longest_s, math.max(first_s, 2 * state('open_s')))
-- Jobs that were under way when it opened tell nothing new.
if state('opened_until') <= NOW then
  redis.call('HSET', STATE, 'opened_until', stamp(NOW + open_s), 'open_s', open_s)
end
return stamp(open_s)
