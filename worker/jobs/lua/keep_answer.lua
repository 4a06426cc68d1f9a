-- Keep the answer to a repeatable request for as long as its job is there.
-- KEYS: reservation, job. ARGV: call, answer, kept_s.

local RESERVATION, JOB = KEYS[1], KEYS[2]
local call, answer, kept_s = ARGV[1], ARGV[2], ARGV[3]

if redis.call('HGET', RESERVATION, 'call') ~= call then
  return { 'lost' }
end
redis.call('HSET', RESERVATION, 'state', 'answered')
redis.call('EXPIRE', RESERVATION, kept_s)
if redis.call('EXISTS', JOB) == 1 then
  redis.call('HSET', RESERVATION, 'answer', answer)
  -- Whoever erases the job finds the answer by this.
  redis.call('HSET', JOB, 'idempotency', RESERVATION)
end
return { 'kept' }
