-- What all workers together may ask of one model. KEYS: of Keys.of_traffic; ARGV[1]: the job.
--
-- A seat is the right of one job to have calls in flight. It is leased, so that the seat of a worker
-- that died is free again. All seats together share the limit of calls in flight.

local STATE, SEATS, WAITING, SEEN = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local WHO = ARGV[1]

-- Whoever waits and has not asked again for so long has ended or given up.
local FORGOTTEN_S = 120
-- After the limit was lowered or raised it stays for so long.
local RAISE_AFTER_S = 30

local function state(field)
  return tonumber(redis.call('HGET', STATE, field) or 0)
end

local function limit_below(most)
  local limit = state('limit')
  if limit == 0 or limit > most then
    return most
  end
  return limit
end

local function wait(since)
  redis.call('ZADD', WAITING, since, WHO)
  redis.call('ZADD', SEEN, stamp(NOW), WHO)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', SEEN, '-inf', stamp(NOW - FORGOTTEN_S))) do
    redis.call('ZREM', WAITING, gone)
    redis.call('ZREM', SEEN, gone)
  end
  return redis.call('ZRANK', WAITING, WHO)
end

local function wait_no_more()
  redis.call('ZREM', WAITING, WHO)
  redis.call('ZREM', SEEN, WHO)
end
