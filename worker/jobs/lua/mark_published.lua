-- Note that a message for this job was sent, and when to send the next if nobody claims it.
-- ARGV: REF, ID, seconds until the first repetition, most seconds between repetitions.

local first_s, longest_s = tonumber(ARGV[3]), tonumber(ARGV[4])
local status = read('status')
if status ~= 'queued' and not (status == 'processing' and number('lease_until') <= NOW) then
  return { 'unchanged' }
end
local publishes = redis.call('HINCRBY', JOB, 'publishes', 1)
redis.call('HSET', JOB, 'published_at', stamp(NOW))
-- A message may have been lost, or wait behind others. Waiting longer each time keeps a long
-- queue from filling with repetitions.
look_again(NOW + math.min(first_s * 2 ^ (publishes - 1), longest_s))
return { 'published' }
