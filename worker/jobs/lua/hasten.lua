-- Let a job that waits in the queue be claimed at once. ARGV: REF, ID, seconds to publish it within.

local publish_grace_s = tonumber(ARGV[3])
local status = read('status')
if status == 'processing' then
  -- It asks for itself at this moment.
  return { 'in-hands' }
end
if status ~= 'queued' then
  return { 'over' }
end
go_on_when_full()
redis.call('HSET', JOB, 'not_before', stamp(NOW))
look_again(NOW + publish_grace_s)
return { 'hastened', read('queue') }
