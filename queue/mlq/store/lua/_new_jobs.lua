-- Jobs that were not in the queue before.

-- The first id in some `after` that is not a job, or nil. `batch`: ids that are made with them.
local function unknown_parent(jobs)
  local batch = {}
  for _, job in ipairs(jobs) do
    batch[job.id] = true
    for _, parent in ipairs(job.after) do
      if not batch[parent] and redis.call('EXISTS', job_key(parent)) == 0 then
        return parent
      end
    end
  end
end

-- The first state of a job with parents, the parents it still waits for, and the parent because of
-- which it is canceled, with its state.
local function first_state(job)
  local pending = {}
  for _, parent in ipairs(job.after) do
    local state = redis.call('HGET', job_key(parent), 'status')
    if not ENDED[state] then
      pending[#pending + 1] = parent
    elseif state ~= State.FINISHED and not job.after_any then
      return Target.PARENT_FAILED, {}, parent, state
    end
  end
  if #pending > 0 then
    return State.DEFERRED, pending
  end
  return State.QUEUED, {}
end

-- Make a job, as submit.lua receives it.
local function make_job(job, common, templates, at)
  local key = job_key(job.id)
  redis.call('HSET', key, 'origin', job.class, unpack(common))
  redis.call('HSET', key, unpack(job.fields))
  use_template(job.template, templates)
  redis.call('ZADD', 'mlq:jobs', order_of(job.id), job.id)
  redis.call('SADD', 'rq:queues', list_key(job.class))
  if job.name ~= '' then
    redis.call('SADD', 'mlq:name:' .. job.name, job.id)
  end
  local state, pending, parent, how = first_state(job)
  local due
  if job.delay > 0 and not parent then
    -- move.lua checks whether it waits for others when it is due.
    state, pending, due = State.SCHEDULED, {}, now() + job.delay
    redis.call('HSET', key, 'mlq_start', string.format('%.3f', due))
  end
  wait_for(job.id, pending)
  if parent then
    redis.call('HSET', key, 'ended_at', at)
    refuse_because(job.id, parent, how)
  end
  enter(job.id, state, job.class, true, due)
end
