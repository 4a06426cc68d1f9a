-- Keep a seat, tell what was learned, and learn how many calls it allows.
-- ARGV: job, most calls in flight, lease_s, images in a call, whether the server was given way.

local most, lease_s, images, gave_way = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'

free_lapsed_seats()
redis.call('ZADD', SEATS, stamp(NOW + lease_s), WHO)
local limit = limit_below(most)
if gave_way then
  limit = math.max(1, math.floor(limit / 2))
  redis.call('HSET', STATE, 'limit', limit, 'limited_at', stamp(NOW))
elseif limit < most and NOW - state('limited_at') > RAISE_AFTER_S then
  limit = limit + 1
  redis.call('HSET', STATE, 'limit', limit, 'limited_at', stamp(NOW))
end
redis.call('HSET', STATE, 'images', images)
return math.max(1, math.floor(limit / redis.call('ZCARD', SEATS)))
