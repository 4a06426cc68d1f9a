-- Write a new job's record and put it into every index. ARGV: REF, ID, then as named below.

local UNOWNED = KEYS[13]
local publish_grace_s, share = tonumber(ARGV[3]), tonumber(ARGV[4])
local queue, request, image = ARGV[5], ARGV[6], ARGV[7]
local deadline_s, retention_s, schema_version, tenant = tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11]
local queue_limit, traceparent = tonumber(ARGV[12]), ARGV[13]

if redis.call('EXISTS', JOB) == 1 then
  -- The same call again, because the answer to the first was lost on its way, is not a mistake.
  if read('request') == request and read('image') == image then
    return { 'created', redis.call('HGETALL', JOB) }
  end
  return { 'exists' }
end
if nearly_full(share) then
  return { 'full' }
end
if queue_limit and redis.call('ZCARD', OPEN) >= queue_limit then
  return { 'queue-full' }
end

local created_at, deadline_at = stamp(NOW), stamp(NOW + deadline_s)
redis.call('HSET', JOB,
  'schema_version', schema_version, 'tenant', tenant, 'id', ID, 'queue', queue,
  'status', 'queued', 'request', request, 'image', image,
  'created_at', created_at, 'deadline_at', deadline_at, 'retention_s', retention_s,
  'traceparent', traceparent, 'fence', 0, 'attempts', 0, 'cancel_requested', 0, 'publishes', 0,
  'stage', 'queued', 'samples_done', 0, 'samples_limit', 0)
redis.call('ZADD', OPEN, created_at, ID)
redis.call('ZADD', JOBS, created_at, ID)
wait_in_queue(queue, created_at, deadline_at)
-- Whoever created it is about to publish it; if that does not happen, the sweeper does.
look_again(NOW + publish_grace_s)
-- From here on the record answers for the blobs that were stored before it.
redis.call('ZREM', UNOWNED, REF)
count('created', queue)
event('queued')
return { 'created', redis.call('HGETALL', JOB) }
