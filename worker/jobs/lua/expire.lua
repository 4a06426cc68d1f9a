-- End a queued job whose deadline has passed. ARGV: REF, ID.

local status = read('status')
if status ~= 'queued' then
  -- A record that was lost or moved on leaves no entry behind.
  redis.call('ZREM', DEADLINES, REF)
  return { 'unchanged' }
end
if number('deadline_at') > NOW then
  return { 'unchanged' }
end
finish('expired')
return { 'expired' }
