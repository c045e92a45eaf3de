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
  local named = redis.call('HMGET', key, 'mlq_name', 'mlq_singleton')
  local pending, bad, why, behind = {}, nil, nil, nil
  if #job.after > 0 or named[2] then
    pending, bad, why, behind = parents_of(job.id, true)
  end
  if bad then
    redis.call('HSET', key, 'ended_at', at)
    refuse_because(job.id, bad, why)
    return enter(job.id, Target.PARENT_FAILED, job.class, true)
  end
  last_made[named[1] or ''] = job.id
  local due = job.delay > 0 and now() + job.delay or nil
  if due then
    redis.call('HSET', key, 'mlq_start', string.format('%.3f', due))
  end
  if job.held ~= '' then
    -- Whether it must wait for its time or for others is seen again once it is let go.
    redis.call('HSET', key, 'mlq_held', job.held, 'mlq_reason', job.held)
  elseif due then
    -- move.lua checks whether it waits for others when it is due.
    return enter(job.id, State.SCHEDULED, job.class, true, due)
  end
  wait_for(job.id, pending)
  if behind then
    redis.call('HSET', key, 'mlq_behind', behind)
  end
  local waits = #pending > 0 or job.held ~= ''
  enter(job.id, waits and State.DEFERRED or State.QUEUED, job.class, true)
end
