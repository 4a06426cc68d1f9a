-- End a claimed job. ARGV: REF, ID, fence, status, then the fields of this ending.

local fence, status = ARGV[3], ARGV[4]
if not holds(fence) then
  return { 'stale' }
end
finish(status, unpack(ARGV, 5))
return { 'ended' }
