-- Let one owner go and tell whether any is left. KEYS: owners, unowned. ARGV: owner, REF of the maker.

redis.call('SREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('ZREM', KEYS[2], ARGV[2])
  return { 'kept' }
end
return { 'unowned' }
