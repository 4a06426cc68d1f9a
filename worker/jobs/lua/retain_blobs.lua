-- Let another job own the blobs as well, if they are still there. KEYS: owners. ARGV: owner.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
redis.call('SADD', KEYS[1], ARGV[1])
return { 'retained' }
