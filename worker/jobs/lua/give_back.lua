-- Put a claimed job back into the queue.
-- ARGV: REF, ID, fence, delay_s, what it waits for (may be empty), whether it counts as an attempt.

local fence, delay_s, waiting_for, counts = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1'
if not holds(fence) then
  return { 'stale' }
end
count('handed-back', waiting_for == '' and 'shutdown' or waiting_for)
leave_work()
if not counts then
  redis.call('HINCRBY', JOB, 'attempts', -1)
end
queue_again(delay_s, waiting_for)
return { 'queued' }
