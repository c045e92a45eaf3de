-- Where each state keeps its jobs.

-- Remove a job from the place where its state keeps it.
local function leave(id, state, class)
  unnote_state(id, state)
  if state == State.QUEUED then
    leave_list(class, id)
    redis.call('HDEL', 'mlq:reservations', id)
  elseif state == State.STARTED then
    local job = redis.call('HMGET', job_key(id), 'mlq_attempt', 'mlq_machine')
    local member = attempt_member(id, job[1] or '0')
    redis.call('ZREM', registry_key(state, class), member)
    redis.call('DEL', 'rq:execution:' .. member, 'rq:executions:' .. id)
    redis.call('ZREM', 'mlq:leases', member)
    redis.call('SREM', 'mlq:held:' .. (job[2] or ''), member)
  else
    local registry = registry_key(state, class)
    if registry then
      redis.call('ZREM', registry, id)
    end
    redis.call('ZREM', 'mlq:ended', id)
    if state == State.DEFERRED then
      -- If it ever waits again, it waits for the jobs that have not ended by then.
      redis.call('DEL', 'rq:job::' .. id .. ':dependencies')
      redis.call('HDEL', job_key(id), 'mlq_held', 'mlq_behind')
    end
  end
end

-- Put a job where its new state keeps it. With the score +inf rq's clean-up leaves it alone; a
-- scheduled job's score is the time when it is due, as in rq. The state itself comes last: if
-- anything before it fails, the same move may be made again.
local function enter(id, state, class, fresh, due)
  class = leave_side(id, class)
  if state == State.QUEUED then
    enter_list(class, id, fresh)
    wake = 'work'
  elseif state ~= State.STARTED then
    redis.call('ZADD', registry_key(state, class), due or '+inf', id)
  end
  if ENDED[state] then
    redis.call('ZADD', 'mlq:ended', now(), id)
    redis.call('ZREM', 'mlq:unended', id)
  elseif state ~= State.STARTED then
    redis.call('ZADD', 'mlq:unended', order_of(id), id)
  end
  note_state(id, state)
  redis.call('HSET', job_key(id), 'status', state)
end

-- Let an attempt of a job run on a machine: it holds a lease from now on, and the machine holds it.
--   who  {machine, worker, boot_id, supervisor_id, at, at_unix}
local function hold_attempt(id, class, attempt, who, lease_ends)
  class = leave_side(id, class)
  local key, member = job_key(id), attempt_member(id, attempt)
  redis.call('HSET', key, 'last_heartbeat', who.at, 'worker_name', who.worker,
    'mlq_attempt', attempt, 'mlq_machine', who.machine, 'mlq_boot_id', who.boot_id,
    'mlq_supervisor_id', who.supervisor_id)
  redis.call('PERSIST', key)
  redis.call('HSET', 'rq:execution:' .. member, 'id', attempt, 'created_at', who.at_unix,
    'last_heartbeat', who.at_unix, 'worker_name', who.worker)
  redis.call('ZADD', 'rq:executions:' .. id, '+inf', attempt)
  redis.call('ZADD', registry_key(State.STARTED, class), '+inf', member)
  redis.call('ZADD', 'mlq:leases', lease_ends, member)
  redis.call('SADD', 'mlq:held:' .. who.machine, member)
end
