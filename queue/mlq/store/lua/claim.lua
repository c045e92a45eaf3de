-- claim(fits, machine, worker, boot_id, supervisor_id, lease_s, at, at_unix, lacks, only?, left_s?)
--     -> {claims}
--   fits     [[class, count]]: the classes that fit the machine's offer, and how many of each
--            would fit alone
--   only     {id: true}: no other job may be claimed; left out if any may
--   lacks    {class: {word: true}}: jobs of the class that need this are left to other machines
--   left_s   for how long the machine is there: jobs with a longer time limit are left to others; left
--            out if no end is known
--   claims   [{id, attempt, class, spec, signature, losses, failures,
--            folder_faults, ooms, crowded, soon_asked}], all of one class
-- Takes the best waiting job among the classes that fit: highest priority, then first submitted.
-- Goes on while the same class, or a side list of it, has the best job; once another class is ahead,
-- the caller has to ask again with the rest of its offer. It increments the attempt number, which is the fencing token of
-- everything that the attempt will write.
local earlier = cached_reply()
if earlier then return earlier end

-- Nothing is given out while the queue is restored, until all machines that may still run attempts
-- have renewed them (restore_end), and while its user has paused it.
if redis.call('EXISTS', 'mlq:restoring', 'mlq:restored', 'mlq:paused') > 0 then
  return reply({ claims = {} })
end

local LOOK_AHEAD, LOOK_PAST = 8, 256
local UNWRITTEN = 9
local started_at = now()
local alone = redis.call('ZCOUNT', 'mlq:machines', started_at - args.lease_s, '+inf') <= 1

local function needs_one_of(needs, words)
  for word in string.gmatch(needs, '%S+') do
    if words[word] then
      return true
    end
  end
  return false
end

-- The first job of a class that this machine may take. A machine under which a job failed or was
-- lost lets others go first for a moment, unless there is no other. Ids whose job is gone (deleted by
-- rq's tools) are dropped. If jobs are passed over because the machine lacks something, the search
-- goes further, and so it does if the machine's time is limited.
local function head_of(class)
  if is_blocked(class) then
    return nil
  end
  local key = list_key(class)
  local lacks = args.lacks[class]
  for _, id in ipairs(redis.call('LRANGE', key, 0, ((lacks or args.left_s) and LOOK_PAST or LOOK_AHEAD) - 1)) do
    local job = redis.call('HMGET', job_key(id), 'status', 'mlq_avoid', 'mlq_avoid_until', 'mlq_needs',
      'timeout')
    if job[1] ~= State.QUEUED then
      redis.call('LREM', key, 1, id)
    elseif (not args.only or args.only[id])
      and not (lacks and needs_one_of(job[4] or '', lacks))
      and not (args.left_s and number_or(job[5]) > args.left_s)
      and (alone or job[2] ~= args.machine or started_at > number_or(job[3])) then
      return { id = id, order = order_of(id) }
    end
  end
end

local heads = {}
local function best()
  local found
  for _, fit in ipairs(args.fits) do
    local class = fit[1]
    if heads[class] == nil then
      heads[class] = head_of(class) or false
    end
    local head = heads[class]
    if head then
      local priority = priority_of(class)
      if not found or priority > found.priority
        or (priority == found.priority and head.order < found.order) then
        found = { class = class, priority = priority, order = head.order, id = head.id }
      end
    end
  end
  return found
end

local function start(id, class)
  local key = job_key(id)
  leave(id, State.QUEUED, class)
  settle_lists() -- the search for the next head reads the list
  class = own_class(class)
  local attempt = count_up(key, 'mlq_attempt')
  if redis.call('HDEL', key, 'mlq_restored') == 1 then
    -- The next numbers may be those of unrecorded attempts: a full results root has neither a newer
    -- copy nor their results.
    attempt = redis.call('HINCRBY', key, 'mlq_attempt', UNWRITTEN)
  end
  redis.call('HDEL', key, 'ended_at', 'mlq_exit_code', 'mlq_reason', 'mlq_stop', 'mlq_wish', 'mlq_return', 'mlq_progress', 'mlq_advance', 'mlq_restraint',
    'mlq_signals', 'mlq_signaled',
    'mlq_unwritten', 'mlq_usage', 'mlq_used', 'mlq_notes', 'mlq_cleaned')
  -- Check the class, too: a stranger may have put the job into another class's list.
  redis.call('HSET', key, 'started_at', args.at, 'origin', class)
  hold_attempt(id, class, attempt, args, started_at + args.lease_s)
  enter(id, Target.CLAIM, class)
  local job = redis.call('HMGET', key, 'mlq_spec', 'mlq_signature', 'mlq_losses',
    'mlq_failures', 'mlq_folder_faults', 'created_at', 'mlq_member', 'mlq_ooms', 'mlq_crowded',
    'mlq_soon_asked')
  return { id = id, attempt = attempt, class = class, signature = job[2] or '',
    spec = whole_spec(id, job[1] or '', job[6] or '', job[7] or ''), losses = number_or(job[3]),
    failures = number_or(job[4]), folder_faults = number_or(job[5]),
    ooms = number_or(job[8]), crowded = number_or(job[9]), soon_asked = number_or(job[10]) }
end

local claims = {}
local next = best()
local class = next and own_class(next.class)
local most = 0
for _, fit in ipairs(args.fits) do
  most = own_class(fit[1]) == class and math.max(most, fit[2]) or most
end
while next and own_class(next.class) == class and #claims < most do
  claims[#claims + 1] = start(next.id, next.class)
  heads[next.class] = nil
  next = best()
end
return reply({ claims = claims })
