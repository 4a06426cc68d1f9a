-- Keep a seat, tell what was learned, and learn how many calls it allows.
-- ARGV: job, most calls in flight, lease_s, images in a call, calls at once that were found to cost
-- the server nothing, whether the server was given way.

local most, lease_s, images = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local proven, gave_way = tonumber(ARGV[5]), ARGV[6] == '1'

free_lapsed_seats()
redis.call('ZADD', SEATS, stamp(NOW + lease_s), WHO)
if gave_way then
  redis.call('HSET', STATE, 'limit', math.max(1, math.floor(limit_below(most) / 2)))
elseif proven > 1 then
  -- Beside the calls of all other jobs, each of which has one at least.
  local borne = proven + redis.call('ZCARD', SEATS) - 1
  redis.call('HSET', STATE, 'limit', math.max(limit_below(most), math.min(most, borne)))
end
redis.call('HSET', STATE, 'images', images)
return share_of(most)
