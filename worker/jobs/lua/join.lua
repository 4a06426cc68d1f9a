-- Say which work a claimed job needs, and learn whether it is to do it.
-- ARGV: REF, ID, fence, name of the work; without a name the job does its work alone.

local fence, work = ARGV[3], ARGV[4]
if not holds(fence) then
  return { 'stale' }
end
if work == '' then
  leave_work()
  return { 'leads' }
end
if read('work') ~= work then
  leave_work()
end

local LEADER, _, RESULTS = keys_of(work)
for _, other in ipairs(redis.call('ZREVRANGE', RESULTS, 0, -1)) do
  if as(other, has_result) then
    redis.call('HINCRBY', JOB, 'attempts', -1)
    take_result(work, as(other, give_result))
    return { 'reuses' }
  end
end

local leader = redis.call('GET', LEADER)
local lease_until = leader and leader ~= ID and as(leader, leads_until, work)
if lease_until then
  follow(work, lease_until)
  return { 'follows' }
end
-- Whoever followed a leader that was lost follows this one.
redis.call('SET', LEADER, ID)
redis.call('HSET', JOB, 'work', work)
return { 'leads' }
