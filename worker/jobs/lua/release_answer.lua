-- Give up a reservation whose request was refused. KEYS: reservation, job. ARGV: call.

local RESERVATION, JOB = KEYS[1], KEYS[2]
local call = ARGV[1]

-- A job that was made in spite of the error keeps its reservation, so that there is no second one.
if redis.call('HGET', RESERVATION, 'call') == call and redis.call('EXISTS', JOB) == 0 then
  redis.call('DEL', RESERVATION)
end
return { 'released' }
