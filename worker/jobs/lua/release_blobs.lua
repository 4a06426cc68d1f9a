-- Let one owner go and tell whether any is left. KEYS: owners. ARGV: owner.

redis.call('SREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 'kept' }
end
return { 'unowned' }
