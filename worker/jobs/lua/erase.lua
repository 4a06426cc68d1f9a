-- Remove a job and leave a tombstone. ARGV: REF, ID, seconds to keep the tombstone.

local tombstone, kept_s = KEYS[12], ARGV[3]
local existed = redis.call('EXISTS', JOB)
if existed == 1 then
  leave_queue()
end
redis.call('DEL', JOB, EVENTS, OUTBOX)
redis.call('ZREM', OPEN, ID)
redis.call('ZREM', JOBS, ID)
redis.call('ZREM', ATTENTION, REF)
redis.call('ZREM', RETENTION, REF)
if existed == 1 then
  redis.call('SET', tombstone, stamp(NOW), 'EX', kept_s)
end
return { 'erased' }
