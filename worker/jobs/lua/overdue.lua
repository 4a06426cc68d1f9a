-- Members of a schedule whose time has come, earliest first. KEYS: schedule. ARGV: age_s, limit.

return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', stamp(NOW - tonumber(ARGV[1])), 'LIMIT', 0, ARGV[2])
