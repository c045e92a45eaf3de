-- submit(common, jobs, templates, at) -> {submitted} or {unknown} or {taken}
--   common   flat list of hash fields and values that all jobs share
--   jobs     [{id, class, name, after, after_any, template, fields}], fields flat like common; template
--            is the digest of what it has in common with others, or ''
--   templates  {digest: template}: see _templates.lua
--   at       time of submission, ISO
--   unknown  the first id in some `after` that is no job; then nothing at all was written
--   taken    the first id that is a job already; then nothing at all was written
local earlier = cached_reply()
if earlier then return earlier end

local batch = {}
for _, job in ipairs(args.jobs) do
  if redis.call('EXISTS', job_key(job.id)) == 1 then
    return reply({ taken = job.id })
  end
  batch[job.id] = true
  for _, parent in ipairs(job.after) do
    if not batch[parent] and redis.call('EXISTS', job_key(parent)) == 0 then
      return reply({ unknown = parent })
    end
  end
end

-- The first state of a job with parents, the parents it still waits for, and who refused it, and how.
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

for _, job in ipairs(args.jobs) do
  local key = job_key(job.id)
  redis.call('HSET', key, 'origin', job.class, unpack(args.common))
  redis.call('HSET', key, unpack(job.fields))
  use_template(job.template, args.templates)
  redis.call('ZADD', 'mlq:jobs', order_of(job.id), job.id)
  redis.call('SADD', 'rq:queues', list_key(job.class))
  if job.name ~= '' then
    redis.call('SADD', 'mlq:name:' .. job.name, job.id)
  end
  local state, pending, parent, how = first_state(job)
  wait_for(job.id, pending)
  if parent then
    redis.call('HSET', key, 'ended_at', args.at)
    refuse_because(job.id, parent, how)
  end
  enter(job.id, state, job.class, true)
end
return reply({ submitted = #args.jobs })
