-- Who waits for whom, and what an end, or a second life, of a job means for those that come after it.
--
-- rq:job:<id>:dependents holds the jobs that wait for a job, and those that were canceled because
-- of it: when it is run again, these are put back. A job canceled this way names the parent in
-- mlq_refused_by, because running a parent again must not undo what a user has canceled.
--
-- How a parent must have ended is said by the job's fields, with the rules of mlq.jobs.parents.

-- Ended jobs whose dependents have not all been told are in mlq:telling. If an operation cannot
-- tell all of them in time, a later one does (tell.lua), so none is forgotten if the caller dies.
-- Dependents are told in order of submission: neighbours in a list then enter it together; in any
-- other order each operation would have to rewrite most of the list. If there are many, they are
-- sorted first.
local TELL_AT_ONCE, SORT_FOR_ONE = 350, 5
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

-- The number of a member's sweep; nil for any other id.
local function number_of(id)
  return string.match(id, '^(%d+)_%d+$')
end

-- What a job says of its parents: the ids in text (JSON), whether they need only end, the conditions
-- of some, its name if it comes after all earlier jobs of that, and the one of those it waits for.
local function rules_of(id)
  local job = redis.call('HMGET', job_key(id), 'dependency_ids', 'allow_dependency_failures',
    'mlq_conditions', 'mlq_singleton', 'mlq_name', 'mlq_behind')
  local readable, conditions = pcall(cjson.decode, job[3] or '{}')
  return {
    ids = job[1], any = job[2] == '1',
    conditions = readable and type(conditions) == 'table' and conditions or {},
    name = job[4] and job[5], behind = job[6],
  }
end

-- How a parent must have ended: State.FINISHED or State.FAILED, or nil if it need only end; and the
-- number of its sweep if that is to have failed as a whole, that is, not all its members ended well.
local function condition_of(rules, parent)
  local own, sweep = rules.conditions[parent], number_of(parent)
  local wanted = own or rules.conditions[sweep or '']
  if wanted == State.FINISHED or wanted == State.FAILED then
    return wanted, not own and wanted == State.FAILED and sweep or nil
  end
  return not wanted and not rules.any and State.FINISHED or nil
end

-- Whether a parent that ended in this state has met a condition.
local function is_met(wanted, state)
  return not wanted or (state == State.FINISHED) == (wanted == State.FINISHED)
end

local function why_not(parent, state, wanted)
  local but = wanted == State.FAILED and ', and was to fail' or ''
  return 'parent ' .. parent .. ' ' .. state .. but
end

-- Note because of which parent a job is canceled: its id, or the number of a sweep as a whole.
local function refuse_because(id, parent, why)
  redis.call('HSET', job_key(id), 'mlq_reason', why, 'mlq_refused_by', parent)
  local ids = { parent }
  if redis.call('EXISTS', job_key(parent)) == 0 then
    ids = cjson.decode(redis.call('HGET', job_key(id), 'dependency_ids') or '[]')
  end
  for _, one in ipairs(ids) do
    if (one == parent or number_of(one) == parent) and redis.call('EXISTS', job_key(one)) == 1 then
      redis.call('SADD', job_key(one) .. ':dependents', id)
    end
  end
end

-- The parents that a job has to wait for; a parent because of whose end the job must not run, with
-- the reason; and which of those that it waits for is there because of its name. `is_new`: the job is
-- just being made.
local function parents_of(id, is_new)
  local rules, pending, bad, why, whole = rules_of(id), {}, nil, nil, {}
  for _, parent in ipairs(rules.ids and cjson.decode(rules.ids) or {}) do
    local state = redis.call('HGET', job_key(parent), 'status')
    local wanted, sweep = condition_of(rules, parent)
    if sweep and state then
      whole[sweep] = whole[sweep] or state ~= State.FINISHED and 'open' or 'well'
      if state ~= State.FINISHED then
        whole[sweep] = 'open'
      end
    end
    if state and not ENDED[state] then
      pending[#pending + 1] = parent
    elseif state and not sweep and not is_met(wanted, state) then
      bad, why = parent, why_not(parent, state, wanted)
    end
  end
  for sweep, how in pairs(whole) do
    if how == 'well' then
      bad, why = sweep, why_not(sweep, State.FINISHED, State.FAILED)
    end
  end
  local find = is_new and job_before_new or job_before
  local behind = rules.name and #pending == 0 and find(id, rules.name) or nil
  return behind and { behind } or pending, bad, why, behind
end

local revived = {} -- {parent, child} of those that the operation put back

local function refuse(child, class, parent, why, at)
  leave(child, State.DEFERRED, class)
  redis.call('HSET', job_key(child), 'ended_at', at)
  refuse_because(child, parent, why)
  enter(child, Target.PARENT_FAILED, class)
  has_ended(child, Target.PARENT_FAILED)
end

-- Let a deferred job go on that has none left of those that it waited for. What concerns all parents
-- of a sweep, or all jobs of a name, is looked at only now.
local function let_go_on(child, class, rules, at)
  if rules.name or next(rules.conditions) then
    redis.call('HDEL', job_key(child), 'mlq_behind')
    local pending, bad, why, behind = parents_of(child)
    if bad then
      return refuse(child, class, bad, why, at)
    elseif #pending > 0 then
      wait_for(child, pending)
      return redis.call('HSET', job_key(child), 'mlq_behind', behind or '')
    end
  end
  if redis.call('HEXISTS', job_key(child), 'mlq_held') == 0 then
    leave(child, State.DEFERRED, class)
    redis.call('HSET', job_key(child), 'enqueued_at', at)
    enter(child, Target.PARENTS_ENDED, class)
  end
end

local function tell_one(child, parent, parent_state, at)
  local seen = redis.call('HMGET', job_key(child), 'status', 'origin')
  if seen[1] ~= State.DEFERRED then
    return
  end
  local rules = rules_of(child)
  local wanted, sweep = condition_of(rules, parent)
  if rules.behind == parent or sweep or is_met(wanted, parent_state) then
    local pending = 'rq:job::' .. child .. ':dependencies'
    redis.call('SREM', pending, parent)
    if redis.call('SCARD', pending) == 0 then
      let_go_on(child, seen[2], rules, at)
    end
    return
  end
  local present = redis.call('HGET', job_key(parent), 'status')
  if present and not ENDED[present] then
    redis.call('SADD', job_key(parent) .. ':dependents', child) -- it runs again meanwhile
  else
    refuse(child, seen[2], parent, why_not(parent, parent_state, wanted), at)
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
  if seen[1] ~= Target.PARENT_FAILED or (seen[3] ~= parent and seen[3] ~= number_of(parent)) then
    return
  end
  local pending, bad, why, behind = parents_of(child)
  if bad then
    refuse_because(child, bad, why) -- another parent failed, too
    return
  end
  leave(child, seen[1], seen[2])
  redis.call('HDEL', key, 'ended_at', 'mlq_reason')
  redis.call('HSET', key, 'enqueued_at', at, unpack(behind and { 'mlq_behind', behind } or {}))
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
