-- Reserve the answer to a repeatable request, or return what is known of it.
-- KEYS: reservation. ARGV: fingerprint, call (a name for this call), job id, patience_s, kept_s.

local RESERVATION = KEYS[1]
local fingerprint, call, job_id = ARGV[1], ARGV[2], ARGV[3]
local patience_s, kept_s = tonumber(ARGV[4]), ARGV[5]

local known = redis.call('HMGET', RESERVATION, 'fingerprint', 'state', 'job_id', 'call', 'until')
if known[1] then
  if known[1] ~= fingerprint then
    return { 'mismatch' }
  end
  if known[2] == 'answered' then
    return { 'answered', known[3], redis.call('HGET', RESERVATION, 'answer') or '' }
  end
  -- The same call again, because the answer to the first was lost on its way, has it already.
  if known[4] ~= call and tonumber(known[5]) > NOW then
    return { 'creating' }
  end
  -- Whoever began was silent for too long. It may have made the job: it must be the same one.
  job_id = known[3]
end
redis.call('HSET', RESERVATION, 'fingerprint', fingerprint, 'state', 'creating',
  'job_id', job_id, 'call', call, 'until', stamp(NOW + patience_s))
redis.call('EXPIRE', RESERVATION, kept_s)
return { 'reserved', job_id }
