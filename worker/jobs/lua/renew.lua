-- Prolong a lease and learn whether the client wants the job stopped. ARGV: REF, ID, fence, lease_s.

local fence, lease_s = ARGV[3], tonumber(ARGV[4])
if not holds(fence) then
  return { 'stale' }
end
look_again(NOW + lease_s)
redis.call('HSET', JOB, 'lease_until', stamp(NOW + lease_s))
return { 'renewed', read('cancel_requested') }
