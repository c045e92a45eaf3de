-- restore_jobs(jobs, templates, drop, renumbered, in_line) -> {restored, kept}
--   jobs      [{id, order, class, name, state, template, fields, pending, due?, ended, results, attempt,
--             machine, heard, sweep, key, array, learned}], those submitted last first
--               sweep, key   the name of its sweep and what it is known by there; '' if it is of none
--               array    whether its index is its task number in an array
--               template   digest of what it has in common with others, or ''
--               fields   flat list of all hash fields
--               pending  ids of the jobs it waits for
--               due      when it is due, if it is scheduled
--               ended    unix time of its end, 0 if it has not ended
--               results  [[milliseconds, flat list]] for rq's result stream
--               learned  what is remembered of its finished run: a line of mlq:past, or ''
--               attempt, machine, heard   of a job that runs: which attempt, where, last seen when
--   templates {digest: template}: see _templates.lua
--   drop      [id]: deleted first, with all their keys
--   renumbered  {id: old id}: such a job is the one with the old id, which is deleted with all its
--             keys; it takes its place in line by its number
--   in_line   whether the queue has other jobs, among which they take their places
--   restored  how many were made; kept: [id] exist already and were left as they are
-- Attempts get a lease that has run out: either their machine renews it, or the reaper judges it.
local earlier = cached_reply()
if earlier then return earlier end

local restored, kept = 0, {}

local function drop(id)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'status', 'origin', 'mlq_name', 'mlq_spec')
  if job[1] then
    leave(id, job[1], job[2] or '')
  end
  if job[3] then
    redis.call('SREM', 'mlq:name:' .. job[3], id)
  end
  disuse_template(job[4])
  redis.call('DEL', key, key .. ':dependents', 'rq:job::' .. id .. ':dependencies', 'rq:results:' .. id)
  for _, index in ipairs({ 'mlq:jobs', 'mlq:unended', 'mlq:ended' }) do
    redis.call('ZREM', index, id)
  end
  forget_member(id, job[1])
end

-- Let a job stand for its member, unless a later one does.
local function join_sweep(job)
  local number, index = string.match(job.id, '^([1-9]%d*)_(%d+)$')
  if job.sweep == '' or not number or tonumber(index) >= MEMBERS_AT_MOST then
    return
  end
  local key, members = sweep_key(number), members_key(number)
  redis.call('HSETNX', key, 'name', job.sweep)
  known_sweeps[number] = true
  local free = math.max(number_or(redis.call('HGET', key, 'next')), index + 1)
  if job.array then
    redis.call('HSET', key, 'array', 1)
    free = math.max(free, ARRAY_AGAIN)
  end
  redis.call('HSET', key, 'next', free)
  list_sweep(job.sweep, number)
  local other = redis.call('HGET', members, job.key)
  if other and tonumber(other) > tonumber(index) then
    replace_member(number, index)
  else
    redis.call('HSET', members, job.key, index)
    if other and other ~= index then
      replace_member(number, other)
    end
  end
  note_state(job.id, job.state)
end

local function run(job)
  local member = attempt_member(job.id, job.attempt)
  local at = now()
  redis.call('HSET', 'rq:execution:' .. member, 'id', job.attempt, 'created_at', at,
    'last_heartbeat', at, 'worker_name', job.machine)
  redis.call('ZADD', 'rq:executions:' .. job.id, '+inf', job.attempt)
  redis.call('ZADD', registry_key(State.STARTED, job.class), '+inf', member)
  redis.call('ZADD', 'mlq:leases', at, member)
  redis.call('SADD', 'mlq:held:' .. job.machine, member)
  redis.call('ZADD', 'mlq:machines', 'NX', job.heard, job.machine)
  redis.call('ZADD', 'mlq:unended', job.order, job.id)
end

local function place(job, renumbered)
  if job.state == State.STARTED then
    run(job)
    return
  end
  if job.state ~= State.QUEUED then
    local registry = registry_key(job.state, job.class)
    if registry then
      redis.call('ZADD', registry, job.due or '+inf', job.id)
    end
  elseif renumbered then
    enter_list(job.class, job.id)
  else
    redis.call('LPUSH', list_key(job.class), job.id)
  end
  if ENDED[job.state] then
    redis.call('ZADD', 'mlq:ended', job.ended, job.id)
  else
    redis.call('ZADD', 'mlq:unended', job.order, job.id)
  end
end

for _, id in ipairs(args.drop) do
  drop(id)
end
for _, job in ipairs(args.jobs) do
  local key, old = job_key(job.id), args.renumbered[job.id]
  job.class = own_class(job.class)
  if redis.call('EXISTS', key) == 1 then
    kept[#kept + 1] = job.id
  else
    redis.call('HSET', key, unpack(job.fields))
    redis.call('HSET', key, 'origin', job.class, 'status', job.state)
    use_template(job.template, args.templates)
    redis.call('ZADD', 'mlq:jobs', job.order, job.id)
    redis.call('SADD', 'rq:queues', list_key(job.class))
    if job.name ~= '' then
      redis.call('SADD', 'mlq:name:' .. job.name, job.id)
    end
    wait_for(job.id, job.pending)
    -- In the order of the attempts, whatever the clocks of the machines that ended them said.
    local stream, at = 'rq:results:' .. job.id, 0
    redis.call('DEL', stream)
    for i, result in ipairs(job.results) do
      at = math.max(at, result[1])
      redis.call('XADD', stream, string.format('%.0f-%d', at, i), unpack(result[2]))
    end
    place(job, old or args.in_line)
    join_sweep(job)
    if job.learned ~= '' then
      note_past(redis.call('HGET', key, 'mlq_needs'), job.learned, true)
    end
    if old then
      drop(old)
      redis.call('HSET', 'mlq:restoring:renumbered', old, job.id)
    end
    restored = restored + 1
  end
end
return reply({ restored = restored, kept = kept })
