-- Say how far a job is. ARGV: REF, ID, fence, stage, samples done, samples limit.

local fence, stage, done, limit = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not holds(fence) then
  return { 'stale' }
end
redis.call('HSET', JOB, 'stage', stage, 'samples_done', done, 'samples_limit', limit)
event('progress', 'stage', stage, 'samples_done', done, 'samples_limit', limit)
return { 'reported' }
