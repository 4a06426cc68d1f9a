-- Take a job, or say why not; what can no longer run is ended here.
-- ARGV: REF, ID, claim (a name for this call), worker, lease_s, max_attempts, failure as JSON.

local claim, worker, lease_s = ARGV[3], ARGV[4], tonumber(ARGV[5])
local max_attempts, worker_lost = tonumber(ARGV[6]), ARGV[7]

local status = read('status')
if not status then
  return { 'missing' }
end
if status ~= 'queued' and status ~= 'processing' then
  return { 'ended' }
end
if status == 'processing' and number('lease_until') > NOW then
  -- The same call again, because the answer to the first was lost on its way, gets that answer.
  if read('claim') == claim then
    return { 'claimed', redis.call('HGETALL', JOB) }
  end
  return { 'held' }
end
if read('cancel_requested') == '1' then
  finish('canceled')
  return { 'canceled' }
end
local followed = followed_until()
if followed then
  -- What the job waits for is being done.
  redis.call('HSET', JOB, 'publishes', 0)
  look_again(followed)
  return { 'held' }
end
if status == 'queued' and number('deadline_at') <= NOW then
  finish('expired')
  return { 'expired' }
end
if number('attempts') >= max_attempts then
  local failure = cjson.decode(worker_lost)
  failure['stage'] = read('stage')
  finish('failed', 'error', cjson.encode(failure))
  return { 'worker-lost' }
end
if status == 'queued' and number('not_before') > NOW then
  return { 'not-before' }
end

-- A job that follows is processing as well, but in nobody's hands.
local lost = status == 'processing' and read('lease_until')
leave_work()
leave_queue()
count('claimed', lost and 'after-loss' or read('fence') == '0' and 'first' or 'again')
local attempts = redis.call('HINCRBY', JOB, 'attempts', 1)
redis.call('HINCRBY', JOB, 'fence', 1)
redis.call('HSET', JOB,
  'status', 'processing', 'claim', claim, 'worker', worker, 'lease_until', stamp(NOW + lease_s),
  'publishes', 0, 'stage', 'claimed', 'samples_done', 0, 'samples_limit', 0)
redis.call('HSETNX', JOB, 'started_at', stamp(NOW))
redis.call('HDEL', JOB, 'not_before', 'waiting_for')
look_again(NOW + lease_s)
event('processing', 'attempt', attempts)
notify('processing')
return { 'claimed', redis.call('HGETALL', JOB) }
