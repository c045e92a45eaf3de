-- forget(age_s, limit) -> {forgotten}
--   age_s      seconds by this server's clock, which is the one that the times of ends are from
--   forgotten  [id]: jobs that ended longer ago and are now deleted with all their keys
-- Results on NFS stay; numbers are never used again. Classes of which nothing is left go too, so that
-- looking at what waits stays cheap, and machines of which the record has expired and that hold no job.
local earlier = cached_reply()
if earlier then return earlier end

local REMEMBERED_S = 86400
local ids = redis.call('ZRANGEBYSCORE', 'mlq:ended', '-inf', now() - args.age_s, 'LIMIT', 0, args.limit)
for _, id in ipairs(ids) do
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'status', 'origin', 'mlq_name', 'mlq_losses', 'mlq_spec')
  if job[1] then
    leave(id, job[1], job[2])
  end
  if job[3] and job[3] ~= '' then
    redis.call('SREM', 'mlq:name:' .. job[3], id)
  end
  disuse_template(job[5])
  redis.call('DEL', key, key .. ':dependents', 'rq:job::' .. id .. ':dependencies',
    'rq:results:' .. id, 'rq:executions:' .. id)
  if job[4] then
    -- A machine that was lost while it ran the job may still come back with an attempt of it.
    redis.call('ZADD', 'mlq:deleted', now(), id)
  end
  redis.call('ZREM', 'mlq:jobs', id)
  redis.call('ZREM', 'mlq:unended', id)
  redis.call('ZREM', 'mlq:ended', id)
  forget_member(id, job[1])
end

local function is_empty(class)
  for state in pairs(REGISTRY) do
    if redis.call('EXISTS', registry_key(state, class)) == 1 then
      return false
    end
  end
  return true
end

recall_classes(now() - REMEMBERED_S)
redis.call('ZREMRANGEBYSCORE', 'mlq:forgotten_classes', '-inf', now() - REMEMBERED_S)
for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  local class = class_of(key)
  if is_empty(class) then
    redis.call('SREM', 'rq:queues', key)
    redis.call('DEL', 'rq:workers:' .. class)
    if not sweep_of_class(class) then
      redis.call('ZADD', 'mlq:forgotten_classes', now(), key)
    end
  end
end
for _, machine in ipairs(redis.call('ZRANGE', 'mlq:machines', 0, -1)) do
  if redis.call('EXISTS', 'mlq:machine:' .. machine, 'mlq:held:' .. machine) == 0 then
    redis.call('ZREM', 'mlq:machines', machine)
    redis.call('DEL', name_key(machine))
    redis.call('HDEL', 'mlq:last_starts', machine)
  end
end
return reply({ forgotten = ids })
