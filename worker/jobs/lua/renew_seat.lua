-- Keep a seat, tell what was learned, and learn how many calls it allows.
-- ARGV: job, most calls in flight, lease_s, images in a call, whether the server was given way.

local most, lease_s, images, gave_way = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'

free_lapsed_seats()
redis.call('ZADD', SEATS, stamp(NOW + lease_s), WHO)
if gave_way then
  local limit = math.max(1, math.floor(limit_below(most) / 2))
  redis.call('HSET', STATE, 'limit', limit, 'limited_at', stamp(NOW))
else
  raise_limit(most)
end
redis.call('HSET', STATE, 'images', images)
return math.max(1, math.floor(limit_below(most) / redis.call('ZCARD', SEATS)))
