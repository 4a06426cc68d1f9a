-- Send the latest event of a job once more, at once and with all tries.
-- KEYS: outbox, deliveries. ARGV: REF, then the statuses that events may have.

local OUTBOX, DELIVERIES = KEYS[1], KEYS[2]
local latest, latest_at = nil, 0
for i = 2, #ARGV do
  local at = tonumber(redis.call('HGET', OUTBOX, ARGV[i] .. ':at') or 0)
  if at > latest_at then
    latest, latest_at = ARGV[i], at
  end
end
if not latest then
  return { 'nothing' }
end
redis.call('HSET', OUTBOX, latest .. ':state', 'pending', latest .. ':tries', 0)
-- One that is being tried at this moment is due again if that fails.
if redis.call('HEXISTS', OUTBOX, latest .. ':lease') == 0 then
  redis.call('ZADD', DELIVERIES, stamp(NOW), ARGV[1] .. '#' .. latest)
end
return { 'due', latest }
