-- Who waits for whom, and what an end, or a second life, of a job means for those that come after it.
--
-- rq:job:<id>:dependents holds the jobs that wait for a job, and those that were canceled because
-- of it: when it is run again, these are put back. A job canceled this way names the parent in
-- mlq_refused_by, because running a parent again must not undo what a user has canceled.

-- Ended jobs whose dependents have not all been told are in mlq:telling. If an operation cannot
-- tell all of them in time, a later one does (tell.lua), so none is forgotten if the caller dies.
-- Dependents are told in order of submission: neighbours in a list then enter it together; in any
-- other order each operation would have to rewrite most of the list. If there are many, they are
-- sorted first.
local TELL_AT_ONCE, SORT_FOR_ONE = 500, 5
local REVIVED = 'revived' -- stands there for the state of a job that is run again

local function untold_key(id, state)
  return 'mlq:untold:' .. id .. ':' .. state
end

local function sorted_key(id, state)
  return 'mlq:untold_sorted:' .. id .. ':' .. state
end

-- Let a job wait until each of these has told it that it ended. Untold earlier ends of theirs do
-- not concern this wait.
local function wait_for(id, parents)
  local telling = #parents > 0 and redis.call('EXISTS', 'mlq:telling') == 1
  for _, parent in ipairs(parents) do
    redis.call('SADD', job_key(parent) .. ':dependents', id)
    redis.call('SADD', 'rq:job::' .. id .. ':dependencies', parent)
    for state in pairs(telling and ENDED or {}) do
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

-- Note that an ended job is to run again, for jobs that were canceled because of it, and for jobs
-- that have not yet been told that it ended badly.
local function has_come_back(id)
  redis.call('HDEL', job_key(id), 'mlq_refused_by')
  local dependents = job_key(id) .. ':dependents'
  local keys = { dependents }
  for state in pairs(ENDED) do
    if state ~= State.FINISHED then
      table.insert(keys, untold_key(id, state))
      table.insert(keys, sorted_key(id, state))
    end
  end
  if redis.call('EXISTS', unpack(keys)) == 0 then
    return
  end
  local untold, sorted = untold_key(id, REVIVED), sorted_key(id, REVIVED)
  local known = redis.call('EXISTS', untold, sorted) > 0
  for at, key in ipairs(keys) do
    if at % 2 == 0 or key == dependents then
      redis.call('SUNIONSTORE', untold, untold, key)
    else
      redis.call('ZUNIONSTORE', sorted, 2, sorted, key, 'AGGREGATE', 'MAX')
    end
  end
  redis.call('DEL', unpack(keys))
  if not known then
    redis.call('RPUSH', 'mlq:telling', id .. ' ' .. REVIVED)
  end
end

local function refuse_because(id, parent, how)
  redis.call('HSET', job_key(id), 'mlq_reason', 'parent ' .. parent .. ' ' .. how,
    'mlq_refused_by', parent)
  if redis.call('EXISTS', job_key(parent)) == 1 then
    redis.call('SADD', job_key(parent) .. ':dependents', id)
  end
end

-- The parents that a job has to wait for; and a parent that ended badly, with its state, if the job
-- must not run after it.
local function parents_of(id)
  local job = redis.call('HMGET', job_key(id), 'dependency_ids', 'allow_dependency_failures')
  local pending, bad, how = {}, nil, nil
  for _, parent in ipairs(job[1] and cjson.decode(job[1]) or {}) do
    local state = redis.call('HGET', job_key(parent), 'status')
    if state and not ENDED[state] then
      pending[#pending + 1] = parent
    elseif state and state ~= State.FINISHED and job[2] ~= '1' then
      bad, how = parent, state
    end
  end
  return pending, bad, how
end

local revived = {} -- {parent, child} of those that the operation put back

local function tell_one(child, parent, parent_state, at)
  local seen = redis.call('HMGET', job_key(child), 'status', 'origin', 'allow_dependency_failures')
  if seen[1] ~= State.DEFERRED then
    return
  end
  local pending = 'rq:job::' .. child .. ':dependencies'
  if parent_state == State.FINISHED or seen[3] == '1' then
    redis.call('SREM', pending, parent)
    if redis.call('SCARD', pending) == 0 and redis.call('HEXISTS', job_key(child), 'mlq_held') == 0 then
      leave(child, seen[1], seen[2])
      redis.call('HSET', job_key(child), 'enqueued_at', at)
      enter(child, Target.PARENTS_ENDED, seen[2])
    end
  else
    leave(child, seen[1], seen[2])
    redis.call('HSET', job_key(child), 'ended_at', at)
    refuse_because(child, parent, parent_state)
    enter(child, Target.PARENT_FAILED, seen[2])
    has_ended(child, Target.PARENT_FAILED)
  end
end

-- Put back a job that was canceled because of a parent that runs again now.
local function revive_one(child, parent, _, at)
  local key = job_key(child)
  local seen = redis.call('HMGET', key, 'status', 'origin', 'mlq_refused_by')
  if seen[1] == State.DEFERRED
    and redis.call('SISMEMBER', 'rq:job::' .. child .. ':dependencies', parent) == 1 then
    redis.call('SADD', job_key(parent) .. ':dependents', child) -- it was not told of the end yet
  end
  if seen[1] ~= Target.PARENT_FAILED or seen[3] ~= parent then
    return
  end
  local pending, bad, how = parents_of(child)
  if bad then
    refuse_because(child, bad, how) -- another parent failed, too
    return
  end
  leave(child, seen[1], seen[2])
  redis.call('HDEL', key, 'ended_at', 'mlq_reason')
  redis.call('HSET', key, 'enqueued_at', at)
  wait_for(child, pending)
  enter(child, #pending > 0 and Target.RERUN_LATER or Target.RERUN, seen[2])
  has_come_back(child)
  revived[#revived + 1] = { parent, child }
end

-- The next dependents to tell of a job's end, at most `most` and in order; and how much of `most`
-- was spent on sorting them, if there are many.
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

-- Tell the dependents of jobs that have ended or run again, and their dependents in turn; return
-- how many such jobs still have untold dependents.
local function tell_dependents(at)
  local left = TELL_AT_ONCE
  local ended = redis.call('LINDEX', 'mlq:telling', 0)
  while ended and left > 0 do
    local parent, state = string.match(ended, '^(%S+) (%S+)$')
    local untold, sorted = untold_key(parent or '', state or ''), sorted_key(parent or '', state or '')
    -- A job that a stranger altered must neither undo the rest nor be retried for ever.
    local readable, children, spent = pcall(next_untold, parent or '', state or '', left)
    if not readable then
      redis.call('DEL', untold, sorted)
      children, spent = {}, 0
    end
    left = left - spent
    for _, child in ipairs(children) do
      pcall(state == REVIVED and revive_one or tell_one, child, parent, state, at)
      left = left - 1
    end
    if redis.call('EXISTS', untold, sorted) == 0 then
      redis.call('LPOP', 'mlq:telling')
    end
    ended = redis.call('LINDEX', 'mlq:telling', 0)
  end
  return redis.call('LLEN', 'mlq:telling')
end
