-- submit_members(number, first, common, jobs, templates, at) -> {submitted} or {unknown} or {next}
--   number   of the sweep
--   first    the next free index, as the caller saw it
--   common, templates, at   as for submit
--   jobs     [{id, class, after, template, fields, delay, held, key, instead, seen}]: as for
--            submit, and
--              id       <number>_<index>; the index is that of its task in an array, or else the
--                       next free one
--              key      the member's
--              instead  the index of the job that stands for the member, as the caller saw it; -1: none
--              seen     the state in which the caller saw that; '' if it was gone
--   unknown  the first id in some `after` that is no job; then nothing at all was written
--   next     the sweep has changed since the caller saw it: another client enqueued members, or one
--            changed its state. Nothing at all was written; this is the next free index
-- Only this script decides which client makes a member. A waiting job that is replaced is canceled.
local earlier = cached_reply()
if earlier then return earlier end

local key, members = sweep_key(args.number), members_key(args.number)

local function next_free(index)
  while redis.call('EXISTS', job_key(args.number .. '_' .. index)) == 1 do
    index = index + 1
  end
  return index
end

local function is_as_seen(job)
  local index = redis.call('HGET', members, job.key)
  if tonumber(index or -1) ~= job.instead then
    return false
  end
  local state = index and redis.call('HGET', job_key(args.number .. '_' .. index), 'status') or ''
  if state == '' and job.seen == State.FINISHED then
    return redis.call('GETBIT', bits_key(args.number, State.FINISHED), index) == 1
  end
  return state == job.seen and state ~= State.STARTED
end

local free = next_free(number_or(redis.call('HGET', key, 'next')))
local right = free == args.first and redis.call('EXISTS', key) == 1
for _, job in ipairs(args.jobs) do
  right = right and redis.call('EXISTS', job_key(job.id)) == 0 and is_as_seen(job)
end
if not right then
  redis.call('HSET', key, 'next', free)
  return reply({ next = free })
end
local unknown = unknown_parent(args.jobs)
if unknown then
  return reply({ unknown = unknown })
end

local function replace(job)
  local old = args.number .. '_' .. job.instead
  local seen = redis.call('HMGET', job_key(old), 'status', 'origin')
  if seen[1] and not ENDED[seen[1]] then
    leave(old, seen[1], seen[2] or '')
    redis.call('HSET', job_key(old), 'ended_at', args.at, 'mlq_reason', 'replaced by ' .. job.id)
    enter(old, Target.CANCEL, seen[2] or '')
    has_ended(old, Target.CANCEL)
  end
  replace_member(args.number, job.instead)
end

local free_now = args.first
for _, job in ipairs(args.jobs) do
  if job.instead >= 0 then
    replace(job)
  end
  job.name = '' -- a sweep is found by its own name
  make_job(job, args.common, args.templates, args.at)
  local index = tonumber(string.match(job.id, '_(%d+)$'))
  redis.call('HSET', members, job.key, index)
  free_now = math.max(free_now, index + 1)
end
redis.call('HSET', key, 'next', free_now)
return reply({ submitted = #args.jobs })
