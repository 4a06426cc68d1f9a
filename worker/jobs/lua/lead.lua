-- Become or stay the leader for a while. KEYS: leader. ARGV: worker, milliseconds.

local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then
  return 0
end
-- Redis at its memory limit refuses a first write that needs memory. What the leader erases makes room.
redis.call('PERSIST', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
