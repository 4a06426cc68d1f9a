-- What all transitions of a job share. The keys come in the order of Keys.of_job.

local JOB, EVENTS, OPEN, JOBS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ATTENTION, DEADLINES, RETENTION = KEYS[5], KEYS[6], KEYS[7]
local WAITING = { interactive = KEYS[8], bulk = KEYS[9] }
local OUTBOX, DELIVERIES, COUNTS = KEYS[10], KEYS[11], KEYS[12]
local REF, ID = ARGV[1], ARGV[2]

local EVENTS_KEPT = 200

local function read(field)
  return redis.call('HGET', JOB, field) or nil
end

local function number(field)
  return tonumber(read(field) or 0)
end

-- Count what happens in the call that makes it true, so that nothing is counted twice or missed.
-- ``what`` is a name and its labels; the model, whose name may hold anything, comes last.
local function count(...)
  local model = cjson.decode(read('request'))['model']
  redis.call('HINCRBY', COUNTS, table.concat({ ... }, '|') .. '|' .. model, 1)
end

local function event(type, ...)
  redis.call('XADD', EVENTS, 'MAXLEN', EVENTS_KEPT, '*', 'type', type, 'at', stamp(NOW), ...)
end

-- Put an event into the outbox of the job's webhook, if it has one that wants it: each event once.
-- This is done in the call that makes the event true, so neither can be lost without the other.
local function notify(status)
  local webhook = cjson.decode(read('request'))['webhook']
  if not webhook or webhook == cjson.null then
    return
  end
  local name = 'explanation.' .. status
  for _, wanted in ipairs(webhook['events'] or { name }) do
    if wanted == name
      and redis.call('HSETNX', OUTBOX, status .. ':at', stamp(NOW)) == 1 then
      redis.call('HSET', OUTBOX, 'url', webhook['url'], status .. ':state', 'pending')
      redis.call('ZADD', DELIVERIES, stamp(NOW), REF .. '#' .. status)
    end
  end
end

-- Where a queued job is looked for: by who counts the queue and by who expires deadlines.
local function wait_in_queue(queue, created_at, deadline_at)
  redis.call('ZADD', WAITING[queue], created_at, REF)
  redis.call('ZADD', DEADLINES, deadline_at, REF)
end

local function leave_queue()
  redis.call('ZREM', WAITING[read('queue')], REF)
  redis.call('ZREM', DEADLINES, REF)
end

local function look_again(at)
  redis.call('ZADD', ATTENTION, stamp(at), REF)
end

-- Put a job back into the queue, to be published after so many seconds.
local function queue_again(delay_s, waiting_for)
  look_again(NOW + delay_s)
  wait_in_queue(read('queue'), read('created_at'), read('deadline_at'))
  redis.call('HSET', JOB,
    'status', 'queued', 'not_before', stamp(NOW + delay_s), 'waiting_for', waiting_for,
    'stage', 'queued', 'samples_done', 0, 'samples_limit', 0)
  redis.call('HDEL', JOB, 'lease_until', 'claim', 'worker', 'published_at')
  if number('attempts') == 0 then
    -- It has not been worked on yet, so it has not started.
    redis.call('HDEL', JOB, 'started_at')
  end
  event('queued', 'waiting_for', waiting_for)
end

-- At its memory limit Redis refuses a script at its first write if that needs memory, and lets it
-- go on after a write that does not. What is said of a job in hands, and its end, must not be
-- refused; this write changes nothing.
local function go_on_when_full()
  redis.call('PERSIST', JOB)
end

-- Whether the claim with this fence still has the job. A lease that ran out is lost even if
-- nobody has taken the job since: its worker was silent for too long to be believed.
local function holds(fence)
  go_on_when_full()
  return read('status') == 'processing' and read('fence') == fence and number('lease_until') > NOW
end

-- The one way in which a job ends. The further fields are those of that ending.
local function finish(status, ...)
  go_on_when_full()
  redis.call('ZREM', ATTENTION, REF)
  redis.call('ZREM', OPEN, ID)
  leave_queue()
  local expires_at = stamp(NOW + number('retention_s'))
  redis.call('HSET', JOB, 'status', status, 'finished_at', stamp(NOW), 'expires_at', expires_at, ...)
  redis.call('HDEL', JOB, 'lease_until', 'not_before', 'waiting_for', 'claim')
  redis.call('ZADD', RETENTION, expires_at, REF)
  local failure = status == 'failed' and read('error')
  count('finished', status, failure and cjson.decode(failure)['type'] or '')
  event(status)
  notify(status)
end
