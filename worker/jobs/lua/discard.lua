-- Begin to erase a job before its time: end it, so that no worker writes to it any more, and let its
-- retention be over, so that the sweeper goes on if whoever asked does not. ARGV: REF, ID.

local status = read('status')
if not status then
  return { 'missing' }
end
if status == 'queued' or status == 'processing' then
  finish('canceled', 'cancel_requested', 1)
end
go_on_when_full()
redis.call('HSET', JOB, 'expires_at', stamp(NOW))
redis.call('ZADD', RETENTION, stamp(NOW), REF)
return { 'discarded' }
