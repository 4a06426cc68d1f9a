-- Let one owner go; the last one takes the blobs along.
-- KEYS: blobs, owners, unowned. ARGV: REF, owner.

redis.call('SREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 1 then
  return { 'kept' }
end
redis.call('UNLINK', KEYS[1])
return { 'unowned' }
