-- Redis's own clock: workers' clocks differ and jump.

-- Redis 6 may be set to replicate scripts instead of their effects, and then refuses a write after
-- TIME. Redis 7 cannot be, and keeps the call as a no-op.
redis.replicate_commands()

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

-- Lua would write a number of this size with four decimals or fewer.
local function stamp(seconds)
  return string.format('%.6f', seconds)
end

local NOW = clock()
