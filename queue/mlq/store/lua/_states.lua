-- Where each state keeps its jobs, and who waits for whom.

-- Take a job out of wherever its state keeps it.
local function leave(id, state, class)
  if state == 'queued' then
    leave_list(class, id)
    redis.call('HDEL', 'mlq:reservations', id)
  elseif state == 'started' then
    local job = redis.call('HMGET', job_key(id), 'mlq_attempt', 'mlq_machine')
    local member = attempt_member(id, job[1] or '0')
    redis.call('ZREM', 'rq:wip:' .. class, member)
    redis.call('DEL', 'rq:execution:' .. member, 'rq:executions:' .. id)
    redis.call('ZREM', 'mlq:leases', member)
    redis.call('SREM', 'mlq:held:' .. (job[2] or ''), member)
  else
    redis.call('ZREM', 'rq:' .. state .. ':' .. class, id)
    redis.call('ZREM', 'mlq:ended', id)
    if state == 'deferred' then
      -- If it ever waits again, then for what has not ended by then.
      redis.call('DEL', 'rq:job::' .. id .. ':dependencies')
      redis.call('HDEL', job_key(id), 'mlq_held')
    end
  end
end

-- Put a job where its new state keeps it. Score +inf: rq's clean-up lets it be; but for one that is
-- to be queued later, whose score is when it is due, as in rq. The state itself comes last: if
-- anything before it fails, the same move may be made again.
local function enter(id, state, class, fresh, due)
  if state == 'queued' then
    enter_list(class, id, fresh)
    wake = 'work'
  elseif state ~= 'started' then
    redis.call('ZADD', 'rq:' .. state .. ':' .. class, due or '+inf', id)
  end
  if state == 'finished' or state == 'failed' or state == 'canceled' then
    redis.call('ZADD', 'mlq:ended', now(), id)
    redis.call('ZREM', 'mlq:unended', id)
  elseif state ~= 'started' then
    redis.call('ZADD', 'mlq:unended', order_of(id), id)
  end
  redis.call('HSET', job_key(id), 'status', state)
end

-- Let an attempt of a job run on a machine: it holds a lease from now on, and the machine holds it.
--   who  {machine, worker, boot_id, supervisor_id, at, at_unix}
local function hold_attempt(id, class, attempt, who, lease_ends)
  local key, member = job_key(id), attempt_member(id, attempt)
  redis.call('HSET', key, 'last_heartbeat', who.at, 'worker_name', who.worker,
    'mlq_attempt', attempt, 'mlq_machine', who.machine, 'mlq_boot_id', who.boot_id,
    'mlq_supervisor_id', who.supervisor_id)
  redis.call('PERSIST', key)
  redis.call('HSET', 'rq:execution:' .. member, 'id', attempt, 'created_at', who.at_unix,
    'last_heartbeat', who.at_unix, 'worker_name', who.worker)
  redis.call('ZADD', 'rq:executions:' .. id, '+inf', attempt)
  redis.call('ZADD', 'rq:wip:' .. class, '+inf', member)
  redis.call('ZADD', 'mlq:leases', lease_ends, member)
  redis.call('SADD', 'mlq:held:' .. who.machine, member)
end

-- Ended jobs of which not all dependents were told are in mlq:telling. What an operation cannot
-- tell in time is told later, by whoever asks (tell.lua): so nobody is forgotten if the caller dies.
-- They are told in order of submission: those that stand together in a list enter it together, and in
-- any other order each operation would have to rewrite most of the list. Many are sorted first.
local TELL_AT_ONCE, SORT_FOR_ONE = 500, 5

local function untold_key(id, state)
  return 'mlq:untold:' .. id .. ':' .. state
end

local function sorted_key(id, state)
  return 'mlq:untold_sorted:' .. id .. ':' .. state
end

-- Let a job wait until each of these has told it that it ended. What is left to be told of earlier
-- ends of theirs is not about this wait.
local function wait_for(id, parents, states)
  local telling = #parents > 0 and redis.call('EXISTS', 'mlq:telling') == 1
  for _, parent in ipairs(parents) do
    redis.call('SADD', job_key(parent) .. ':dependents', id)
    redis.call('SADD', 'rq:job::' .. id .. ':dependencies', parent)
    for state in pairs(telling and states.ended or {}) do
      redis.call('SREM', untold_key(parent, state), id)
      redis.call('ZREM', sorted_key(parent, state), id)
    end
  end
end

-- Note that a job has ended, for its dependents.
local function has_ended(id, state)
  local dependents, untold = job_key(id) .. ':dependents', untold_key(id, state)
  if redis.call('EXISTS', dependents) == 0 then
    return
  end
  if redis.call('EXISTS', untold) == 1 then
    redis.call('SUNIONSTORE', untold, untold, dependents)
    redis.call('DEL', dependents)
  else
    redis.call('RENAME', dependents, untold)
    redis.call('RPUSH', 'mlq:telling', id .. ' ' .. state)
  end
end

local function tell_one(child, parent, parent_state, states, at)
  local seen = redis.call('HMGET', job_key(child), 'status', 'origin', 'allow_dependency_failures')
  if seen[1] ~= states.waiting then
    return
  end
  local pending = 'rq:job::' .. child .. ':dependencies'
  if parent_state == states.good or seen[3] == '1' then
    redis.call('SREM', pending, parent)
    if redis.call('SCARD', pending) == 0 then
      leave(child, states.waiting, seen[2])
      redis.call('HSET', job_key(child), 'enqueued_at', at)
      enter(child, states.ready, seen[2])
    end
  else
    leave(child, states.waiting, seen[2])
    redis.call('HSET', job_key(child), 'ended_at', at,
      'mlq_reason', 'parent ' .. parent .. ' ' .. parent_state)
    enter(child, states.refused, seen[2])
    has_ended(child, states.refused)
  end
end

-- The next dependents to tell of a job's end, at most `most` and in order; and what was spent of
-- `most` on sorting them, if there are many.
local function next_untold(parent, state, most)
  local untold, sorted = untold_key(parent, state), sorted_key(parent, state)
  local unsorted, spent = redis.call('SCARD', untold), 0
  if unsorted <= most and redis.call('EXISTS', sorted) == 0 then
    return redis.call('SPOP', untold, unsorted), 0
  end
  while unsorted > 0 and spent < most do
    for _, id in ipairs(redis.call('SPOP', untold, SORT_FOR_ONE * 10)) do
      redis.call('ZADD', sorted, order_of(id), id)
    end
    unsorted, spent = redis.call('SCARD', untold), spent + 10
  end
  local children = {}
  if unsorted == 0 and spent < most then
    for at, part in ipairs(redis.call('ZPOPMIN', sorted, most - spent)) do
      if at % 2 == 1 then
        children[#children + 1] = part
      end
    end
  end
  return children, spent
end

-- Tell dependents of jobs that have ended, and those of a refused one in turn; return of how many
-- ended jobs dependents are still untold. `states` names what may follow: good (the state that
-- counts as a good end), waiting, ready, refused.
local function tell_dependents(states, at)
  local left = TELL_AT_ONCE
  local ended = redis.call('LINDEX', 'mlq:telling', 0)
  while ended and left > 0 do
    local parent, state = string.match(ended, '^(%S+) (%S+)$')
    local untold, sorted = untold_key(parent or '', state or ''), sorted_key(parent or '', state or '')
    -- What a stranger altered must neither undo the rest nor be met again for ever.
    local readable, children, spent = pcall(next_untold, parent or '', state or '', left)
    if not readable then
      redis.call('DEL', untold, sorted)
      children, spent = {}, 0
    end
    left = left - spent
    for _, child in ipairs(children) do
      pcall(tell_one, child, parent, state, states, at)
      left = left - 1
    end
    if redis.call('EXISTS', untold, sorted) == 0 then
      redis.call('LPOP', 'mlq:telling')
    end
    ended = redis.call('LINDEX', 'mlq:telling', 0)
  end
  return redis.call('LLEN', 'mlq:telling')
end
