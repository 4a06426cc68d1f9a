-- New work is refused before memory runs out, so that running jobs have room to finish.

local function nearly_full(share)
  local info = redis.call('INFO', 'memory')
  local limit = tonumber(string.match(info, '[\r\n]maxmemory:(%d+)'))
  local used = tonumber(string.match(info, '[\r\n]used_memory:(%d+)'))
  return limit > 0 and used >= limit * share
end
