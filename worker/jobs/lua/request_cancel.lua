-- End a job that is in nobody's hands, or have the worker that holds it stop.
-- ARGV: REF, ID, call (a name for this call).

local call = ARGV[3]
local status = read('status')
if not status then
  return { 'missing' }
end
if status ~= 'queued' and status ~= 'processing' then
  -- The same call again, because the answer to the first was lost on its way, did not come late.
  if read('cancel_call') == call then
    return { 'canceling', redis.call('HGETALL', JOB) }
  end
  return { 'ended' }
end
go_on_when_full()
redis.call('HSET', JOB, 'cancel_requested', 1, 'cancel_call', call)
-- The worker whose lease has run out is no longer believed, so nobody is left to stop.
if status == 'queued' or number('lease_until') <= NOW then
  finish('canceled')
end
return { 'canceling', redis.call('HGETALL', JOB) }
