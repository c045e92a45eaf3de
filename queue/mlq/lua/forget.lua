-- forget(ended_before, limit) -> {forgotten}
--   ended_before  unix time
--   forgotten     [id]: jobs that ended before and are now deleted with all their keys
-- Results on NFS stay; numbers are never used again.
local earlier = cached_reply()
if earlier then return earlier end

local ids = redis.call('ZRANGEBYSCORE', 'mlq:ended', '-inf', args.ended_before, 'LIMIT', 0, args.limit)
for _, id in ipairs(ids) do
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'status', 'origin', 'mlq_name')
  if job[1] then
    leave(id, job[1], job[2])
  end
  if job[3] and job[3] ~= '' then
    redis.call('SREM', 'mlq:name:' .. job[3], id)
  end
  redis.call('DEL', key, key .. ':dependents', 'rq:job::' .. id .. ':dependencies',
    'rq:results:' .. id, 'rq:executions:' .. id)
  redis.call('ZREM', 'mlq:jobs', id)
  redis.call('ZREM', 'mlq:unended', id)
  redis.call('ZREM', 'mlq:ended', id)
end
return reply({ forgotten = ids })
