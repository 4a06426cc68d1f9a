-- Work that several jobs of a tenant need is done once: one of them leads, the others follow.
--
-- A job bears the name of its work from when its worker knew it until it is queued again or has
-- ended without a result. Whoever leads does so under one claim: if that ends in anything but what
-- is the same for all, those that followed are queued again, and the first to be claimed leads.

-- Keys of a tenant differ from a job's own in their end alone.
local BASE = string.sub(JOB, 1, #JOB - #('job:' .. ID))

-- What is told to followers in one call; Redis serves nobody else meanwhile. The others are queued
-- again, and find the result as soon as they are claimed.
local AT_ONCE = 200

-- Failures that lie in the work itself, so that whoever did it again would meet them again.
local SAME_FOR_ALL = {
  ['bad-model-output'] = true,
  ['image-too-uniform'] = true,
  ['invalid-image'] = true,
  ['invalid-request'] = true,
  ['predictor-rejected'] = true,
  ['unknown-class'] = true,
}

-- The keys of a work: who leads it, who follows, and whose result of it is kept.
local function keys_of(work)
  return BASE .. 'leader:' .. work, BASE .. 'followers:' .. work, BASE .. 'results:' .. work
end

-- Do something as another job of the tenant.
local function as(other, action, ...)
  local job, events, outbox, ref, id = JOB, EVENTS, OUTBOX, REF, ID
  local function of(key)
    return string.sub(key, 1, #key - #id) .. other
  end
  JOB, EVENTS, OUTBOX, REF, ID = of(job), of(events), of(outbox), of(ref), other
  local answer = action(...)
  JOB, EVENTS, OUTBOX, REF, ID = job, events, outbox, ref, id
  return answer
end

-- Until when this job is in hands in which it leads the work; nil if it is not.
local function leads_until(work)
  local lease_until = number('lease_until')
  if read('status') == 'processing' and read('work') == work and lease_until > NOW then
    return lease_until
  end
end

-- Until when the leader that this job follows is in good hands; nil if it follows none.
local function followed_until()
  local work = read('work')
  if not work then
    return nil
  end
  local LEADER, FOLLOWERS = keys_of(work)
  local leader = redis.call('GET', LEADER)
  if leader and redis.call('ZSCORE', FOLLOWERS, ID) then
    return as(leader, leads_until, work)
  end
end

-- Let go of the work. Returns the jobs that are left without a leader by that.
local function let_go()
  local work = read('work')
  if not work then
    return {}
  end
  local LEADER, FOLLOWERS, RESULTS = keys_of(work)
  redis.call('HDEL', JOB, 'work')
  redis.call('ZREM', FOLLOWERS, ID)
  redis.call('ZREM', RESULTS, ID)
  if redis.call('GET', LEADER) ~= ID then
    return {}
  end
  redis.call('DEL', LEADER)
  return redis.call('ZRANGE', FOLLOWERS, 0, -1)
end

-- Queue a job that followed; that it waited for another is no attempt of its own.
local function stop_following()
  let_go()
  if read('status') == 'processing' then
    queue_again(0, '')
  end
end

local function leave_work()
  for _, follower in ipairs(let_go()) do
    as(follower, stop_following)
  end
end

-- Follow a leader that is in hands for so long. The claim ends here, so no worker is kept waiting.
local function follow(work, lease_until)
  local _, FOLLOWERS = keys_of(work)
  redis.call('ZADD', FOLLOWERS, read('created_at'), ID)
  redis.call('HSET', JOB,
    'work', work, 'stage', 'following', 'samples_done', 0, 'samples_limit', 0)
  redis.call('HDEL', JOB, 'lease_until', 'claim', 'worker', 'published_at')
  redis.call('HINCRBY', JOB, 'attempts', -1)
  look_again(lease_until)
  event('progress', 'stage', 'following', 'samples_done', 0, 'samples_limit', 0)
end

-- A job's result is there for whoever comes with the same work while it is kept.
local function offer_result(work)
  local _, _, RESULTS = keys_of(work)
  redis.call('HSET', JOB, 'work', work)
  redis.call('ZADD', RESULTS, read('expires_at'), ID)
end

local finish_alone = finish

-- End a job with a result of another, whose pictures it owns as well from now on.
local function take_result(work, given)
  let_go()
  redis.call('SADD', BASE .. 'owners:' .. given.computed_by, REF)
  finish_alone('succeeded',
    'result', given.result, 'computed_by', given.computed_by, 'stage', 'done',
    'samples_done', given.samples_done, 'samples_limit', given.samples_limit)
  offer_result(work)
end

-- Own the pictures of another no longer; if nobody does, the sweeper finds them in its next round.
local function give_up_pictures(unowned)
  local maker = read('computed_by')
  if not maker then
    return
  end
  local OWNERS = BASE .. 'owners:' .. maker
  redis.call('SREM', OWNERS, REF)
  if redis.call('EXISTS', OWNERS) == 0 then
    redis.call('ZADD', unowned, 0, string.sub(REF, 1, #REF - #ID) .. maker)
  end
end

local function give_result()
  return {
    result = read('result'), computed_by = read('computed_by') or ID,
    samples_done = read('samples_done') or 0, samples_limit = read('samples_limit') or 0,
  }
end

-- Whether this job's result is kept, and its pictures with it.
local function has_result()
  return read('status') == 'succeeded' and number('expires_at') > NOW
    and redis.call('EXISTS', BASE .. 'owners:' .. (read('computed_by') or ID)) == 1
end

local function fails_for_all(failure)
  return SAME_FOR_ALL[failure['type']] and not failure['retryable']
end

local function fail_alike(failure)
  let_go()
  if read('status') == 'processing' then
    finish_alone('failed', 'error', failure)
  end
end

-- End a job, and with it those that follow it, if what it ended in is the same for all.
local function finish(status, ...)
  local work = read('work')
  local followers = let_go()
  finish_alone(status, ...)
  if status == 'succeeded' and work then
    offer_result(work)
  end
  local given = #followers > 0 and give_result()
  local failure = status == 'failed' and read('error')
  local fails_all = failure and fails_for_all(cjson.decode(failure))
  for place, follower in ipairs(followers) do
    if status == 'succeeded' and place <= AT_ONCE then
      as(follower, take_result, work, given)
    elseif fails_all and place <= AT_ONCE then
      as(follower, fail_alike, failure)
    else
      as(follower, stop_following)
    end
  end
end
