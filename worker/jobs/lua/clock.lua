-- Redis's own clock: workers' clocks differ and jump.

-- Redis 6 refuses a write after TIME unless effects, not scripts, are replicated. Later versions
-- always do that and keep the call as a no-op.
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
