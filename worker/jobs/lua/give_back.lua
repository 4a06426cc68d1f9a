-- Put a claimed job back into the queue.
-- ARGV: REF, ID, fence, delay_s, what it waits for (may be empty), whether it counts as an attempt.

local fence, delay_s, waiting_for, counts = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1'
if not holds(fence) then
  return { 'stale' }
end
look_again(NOW + delay_s)
wait_in_queue(read('queue'), read('created_at'), read('deadline_at'))
redis.call('HSET', JOB,
  'status', 'queued', 'not_before', stamp(NOW + delay_s), 'waiting_for', waiting_for,
  'stage', 'queued', 'samples_done', 0, 'samples_limit', 0)
redis.call('HDEL', JOB, 'lease_until', 'claim', 'worker', 'published_at')
if not counts and redis.call('HINCRBY', JOB, 'attempts', -1) == 0 then
  -- It has not been worked on yet, so it has not started.
  redis.call('HDEL', JOB, 'started_at')
end
event('queued', 'waiting_for', waiting_for)
return { 'queued' }
