-- Give a seat up and say how the model fared: 'worked', 'failed', or anything else for neither.
-- Returns for how long the circuit was opened, and the job that is called to the free seat.
-- ARGV: job, outcome, most calls in flight, seconds that a seat is kept for who is called,
-- failures that open the circuit, first and longest seconds that it is open.

local outcome, most, kept_s = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local enough, first_s, longest_s = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

free_lapsed_seats()
redis.call('ZREM', SEATS, WHO)
wait_no_more(WHO)
if outcome == 'worked' then
  redis.call('HDEL', STATE, 'failures', 'opened_until', 'open_s')
end
if outcome ~= 'failed' then
  return { '0', call_next(most, kept_s) }
end
local failures = redis.call('HINCRBY', STATE, 'failures', 1)
if failures < enough then
  return { '0', call_next(most, kept_s) }
end
local open_s = math.min(longest_s, math.max(first_s, 2 * state('open_s')))
-- Jobs that were under way when it opened tell nothing new.
if state('opened_until') <= NOW then
  redis.call('HSET', STATE, 'opened_until', stamp(NOW + open_s), 'open_s', open_s)
end
return { stamp(open_s), '' }
