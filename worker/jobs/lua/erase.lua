-- Remove a job and leave a tombstone.
-- ARGV: REF, ID, seconds to keep the tombstone, whether a worker may still store blobs.

local TOMBSTONE, UNOWNED = KEYS[13], KEYS[14]
local kept_s, blobs_may_follow = ARGV[3], ARGV[4] == '1'
local existed = redis.call('EXISTS', JOB)
if existed == 1 then
  leave_work()
  leave_queue()
  give_up_pictures(UNOWNED)
  -- A request that is repeated under its idempotency key is told that the job is gone.
  local reservation = read('idempotency')
  if reservation then
    redis.call('HDEL', reservation, 'answer')
  end
  if blobs_may_follow then
    redis.call('ZADD', UNOWNED, stamp(NOW), REF)
  end
end
redis.call('DEL', JOB, EVENTS, OUTBOX)
redis.call('ZREM', OPEN, ID)
redis.call('ZREM', JOBS, ID)
redis.call('ZREM', ATTENTION, REF)
redis.call('ZREM', RETENTION, REF)
if existed == 1 then
  redis.call('SET', TOMBSTONE, stamp(NOW), 'EX', kept_s)
end
return { 'erased' }
