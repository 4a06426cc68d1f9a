-- What all workers together may ask of one model. KEYS: of Keys.of_traffic; ARGV[1]: the job.
--
-- A seat is the right of one job to have calls in flight. It is leased, so that the seat of a worker
-- that died is free again. All seats together share the limit of calls in flight.

local STATE, SEATS, SEEN = KEYS[1], KEYS[2], KEYS[5]
local WAITING = { interactive = KEYS[3], bulk = KEYS[4] }
local WHO = ARGV[1]

-- Whoever waits and has not asked again for so long has ended or given up.
local FORGOTTEN_S = 120
-- While jobs of both queues wait, one seat of so many goes to a bulk job.
local BULK_EVERY = 4

local function state(field)
  return tonumber(redis.call('HGET', STATE, field) or 0)
end

-- Calls at once that the server was found to bear. One until then: on a server that computes one
-- call after another, a second job would take twice as long, and so would its own users' requests.
local function limit_below(most)
  return math.min(most, math.max(1, state('limit')))
end

-- Calls that each of the jobs with a seat may try.
local function share_of(most)
  return math.max(1, math.floor(most / redis.call('ZCARD', SEATS)))
end

-- Seats whose lease has run out are free. As the first write of a script this also keeps Redis from
-- refusing the next one when it has reached its memory: a seat must be kept and given up then too.
local function free_lapsed_seats()
  redis.call('ZREMRANGEBYSCORE', SEATS, '-inf', stamp(NOW))
end

local function wait_no_more(who)
  redis.call('ZREM', WAITING.interactive, who)
  redis.call('ZREM', WAITING.bulk, who)
  redis.call('ZREM', SEEN, who)
end

local function wait(queue, since)
  redis.call('ZADD', WAITING[queue], since, WHO)
  redis.call('ZADD', SEEN, stamp(NOW), WHO)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', SEEN, '-inf', stamp(NOW - FORGOTTEN_S))) do
    wait_no_more(gone)
  end
  return redis.call('ZRANK', WAITING[queue], WHO)
end

-- Whose turn it is of those that wait: of each queue the one that came first.
local function next_waiting()
  local interactive = redis.call('ZRANGE', WAITING.interactive, 0, 0)[1]
  local bulk = redis.call('ZRANGE', WAITING.bulk, 0, 0)[1]
  if interactive and bulk and redis.call('HINCRBY', STATE, 'turn', 1) % BULK_EVERY == 0 then
    return bulk
  end
  return interactive or bulk
end

-- Keep a free seat for the next that waits, for as long as it may take to come. Whoever comes by
-- meanwhile does not get it, so nobody waits for ever behind those that have just arrived.
local function call_next(most, kept_s)
  if state('opened_until') > 0 or redis.call('ZCARD', SEATS) >= limit_below(most) then
    return ''
  end
  local called = next_waiting()
  if not called then
    return ''
  end
  wait_no_more(called)
  redis.call('ZADD', SEATS, stamp(NOW + kept_s), called)
  return called
end
