-- Move deliveries out of the way of others; one that somebody took stays with them for longer.
-- KEYS: deliveries. ARGV: seconds, then members.

for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], 'XX', 'GT', stamp(NOW + tonumber(ARGV[1])), ARGV[i])
end
return { 'put-off' }
