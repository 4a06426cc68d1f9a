-- Note that a job stores blobs outside Redis. KEYS: owners, unowned. ARGV: REF.

if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then
  redis.call('ZADD', KEYS[2], stamp(NOW), ARGV[1])
end
return { 'stored' }
