-- Replace what one worker says of its models, and forget workers that are gone.
-- KEYS: models, workers. ARGV: worker, names as a JSON list, forget_s, then name and entry of each.

local MODELS, WORKERS = KEYS[1], KEYS[2]
local worker, names, forget_s = ARGV[1], ARGV[2], tonumber(ARGV[3])

if #ARGV > 3 then
  redis.call('HSET', MODELS, unpack(ARGV, 4))
end
redis.call('HSET', WORKERS, worker, '{"seen_at":' .. stamp(NOW) .. ',"models":' .. names .. '}')

-- This worker is alive, so one that was not seen for long is gone for good. Were all of them
-- silent, nobody would come here, and the last catalogue would stand.
local served = {}
local workers = redis.call('HGETALL', WORKERS)
for i = 1, #workers, 2 do
  local report = cjson.decode(workers[i + 1])
  if report['seen_at'] < NOW - forget_s then
    redis.call('HDEL', WORKERS, workers[i])
  else
    for _, name in ipairs(report['models']) do
      served[name] = true
    end
  end
end
for _, name in ipairs(redis.call('HKEYS', MODELS)) do
  if not served[name] then
    redis.call('HDEL', MODELS, name)
  end
end
return { 'published' }
