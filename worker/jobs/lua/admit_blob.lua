-- Say whether a blob may be stored in Redis, within what one job may keep there, and note its owner.
-- The blob itself does not come along: Lua would copy it several times.
-- KEYS: blobs, owners, unowned. ARGV: REF, name, bytes, most bytes a job, share of memory.

local BLOBS, OWNERS, UNOWNED = KEYS[1], KEYS[2], KEYS[3]
local ref, name, bytes = ARGV[1], ARGV[2], tonumber(ARGV[3])
local most, share = tonumber(ARGV[4]), tonumber(ARGV[5])

-- What this job keeps, in bytes, were the blob stored.
local function total()
  local sum = bytes
  for _, other in ipairs(redis.call('HKEYS', BLOBS)) do
    if other ~= name then
      sum = sum + redis.call('HSTRLEN', BLOBS, other)
    end
  end
  return sum
end

-- What earlier attempts at this job left. Their fence is smaller, and nobody will read them.
local function forget_earlier_attempts()
  local fence = tonumber(string.match(name, '^(%d+)/')) or 0
  for _, other in ipairs(redis.call('HKEYS', BLOBS)) do
    if (tonumber(string.match(other, '^(%d+)/')) or fence) < fence then
      redis.call('HDEL', BLOBS, other)
    end
  end
end

if total() > most then
  forget_earlier_attempts()
  if total() > most then
    return { 'too-large' }
  end
end
if redis.call('EXISTS', OWNERS) == 0 and nearly_full(share) then
  return { 'full' }
end
if redis.call('SADD', OWNERS, ref) == 1 then
  redis.call('ZADD', UNOWNED, stamp(NOW), ref)
end
return { 'admitted' }
