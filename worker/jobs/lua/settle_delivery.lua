-- Note what came of a try, and when to try again.
-- KEYS: outbox, deliveries. ARGV: member, status of the event, token of the take, state from now on,
-- seconds until the next try, the attempt as one line of JSON, bytes of log to keep.

local OUTBOX, DELIVERIES = KEYS[1], KEYS[2]
local member, status, token = ARGV[1], ARGV[2], ARGV[3]
local state, delay_s, line, kept = ARGV[4], tonumber(ARGV[5]), ARGV[6] .. '\n', tonumber(ARGV[7])

if redis.call('EXISTS', OUTBOX) == 0 then
  -- The job was erased meanwhile.
  redis.call('ZREM', DELIVERIES, member)
  return { 'gone' }
end
-- At its memory limit Redis lets a script go on after a write that needs none.
redis.call('PERSIST', OUTBOX)
local log = redis.call('HGET', OUTBOX, status .. ':log') or ''
-- Unless this is the same call again, because the answer to the first was lost on its way.
if string.sub(log, -#line) ~= line then
  log = log .. line
  while #log > kept do
    log = string.sub(log, string.find(log, '\n', 1, true) + 1)
  end
  redis.call('HSET', OUTBOX, status .. ':log', log)
end
if redis.call('HGET', OUTBOX, status .. ':lease') ~= token then
  -- It took too long and somebody else is trying: what becomes of the delivery is theirs to say.
  return { 'stale' }
end
redis.call('HDEL', OUTBOX, status .. ':lease')
redis.call('HSET', OUTBOX, status .. ':state', state)
redis.call('HINCRBY', OUTBOX, status .. ':tries', 1)
if state == 'pending' then
  redis.call('ZADD', DELIVERIES, stamp(NOW + delay_s), member)
else
  redis.call('ZREM', DELIVERIES, member)
end
return { 'settled' }
