-- Take a delivery that is due, for as long as a try may last. Whoever dies with it leaves it due.
-- KEYS: outbox, deliveries. ARGV: member, status of the event, token (a name for this call), lease_s.

local OUTBOX, DELIVERIES = KEYS[1], KEYS[2]
local member, status, token, lease_s = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

-- At its memory limit Redis lets a script go on after a write that needs none.
redis.call('PERSIST', OUTBOX)
local state = redis.call('HGET', OUTBOX, status .. ':state')
if state ~= 'pending' then
  redis.call('ZREM', DELIVERIES, member)
  return { 'gone' }
end
-- The same call again, because the answer to the first was lost on its way, gets that answer.
if redis.call('HGET', OUTBOX, status .. ':lease') ~= token then
  local due = tonumber(redis.call('ZSCORE', DELIVERIES, member) or 'inf')
  if due > NOW then
    return { 'held' }
  end
  redis.call('HSET', OUTBOX, status .. ':lease', token)
  redis.call('ZADD', DELIVERIES, stamp(NOW + lease_s), member)
end
return { 'taken', redis.call('HGETALL', OUTBOX) }
