-- renew(machine, worker, boot_id, supervisor_id, attempts, lease_s, at, at_unix, tells_holder)
--     -> {alive, lost, stop, requeue, signal, unknown, adopted, holder?, server_s}
--   attempts  [[id, attempt, progress, ended?, signature?, fields?]]: what the machine still holds;
--             progress is '' if unknown; ended: whether it has ended there and its result is to be
--             committed; signature: of its job, or ''; fields: flat list of hash fields to set, what
--             is known of the attempt and has changed
--   tells_holder  true: another holder of the name does not refuse the operation, but is told
--   alive     [[id, attempt]]: still ours, lease extended
--   lost      [[id, attempt]]: certainly no longer ours, to be killed at once
--   stop      [[id, attempt, reason]]: still ours, and its user wants it to end
--   requeue   [[id, attempt, reason]]: still ours, and its user wants it queued again
--   signal    [[id, attempt, sequence, number, whom]]: still ours, and its user sends it a signal
--             (ask_to_signal) that its supervisor is not known to have obeyed; the oldest first
--   unknown   [[id, attempt]]: of jobs that this queue has never heard of; they run on
--   adopted   [[id, attempt]]: those of `alive` that the queue did not know yet
--   holder    another worker that holds this machine's name, if there is one. Then nothing is
--             renewed, and only what is lost is told
--   server_s  the server's clock: unix time
-- An attempt is lost only by what the queue knows for sure: the job is at a later attempt, or ended
-- or waits after this one, or runs on another machine, or was deleted on purpose. A queue that is at
-- an earlier attempt was restored from a backup and has forgotten this one: it takes it back. Only
-- what its user canceled meanwhile stays so. (Attempts are only ever counted up; so a higher number
-- than the queue knows of is always the later attempt.)
-- A machine also shows by this that it is alive. Not cached: doing it twice does no harm.
local renewed_at = now()
local lease_ends = renewed_at + args.lease_s
local reply_of = { alive = {}, lost = {}, stop = {}, requeue = {}, signal = {}, unknown = {}, adopted = {} }
reply_of.holder = other_holder
reply_of.server_s = renewed_at
if not other_holder then
  redis.call('ZADD', 'mlq:machines', renewed_at, args.machine)
end

local function standing(id, attempt, job, signature)
  if not job.status then
    return was_deleted(id) and 'lost' or 'unknown'
  elseif (signature or '') ~= '' and signature ~= job.signature then
    return 'unknown' -- another job now has this number
  elseif job.attempt == attempt then
    return job.status == State.STARTED and job.machine == args.machine and 'alive' or 'lost'
  elseif job.attempt > attempt or job.status == State.CANCELED then
    return 'lost'
  end
  return 'adopted'
end

local function adopt(id, attempt, job)
  leave(id, job.status, job.class)
  redis.call('HDEL', job_key(id), 'ended_at', 'mlq_exit_code', 'mlq_reason', 'mlq_usage',
    'mlq_notes', 'mlq_used', 'mlq_signals', 'mlq_signaled')
  redis.call('HSET', job_key(id), 'started_at', args.at)
  redis.call('ZADD', 'mlq:unended', order_of(id), id)
  hold_attempt(id, job.class, attempt, args, lease_ends)
  enter(id, State.STARTED, job.class)
end

local function extend(id, attempt)
  local member = attempt_member(id, attempt)
  redis.call('ZADD', 'mlq:leases', lease_ends, member)
  redis.call('HSET', job_key(id), 'last_heartbeat', args.at)
  redis.call('HSET', 'rq:execution:' .. member, 'last_heartbeat', args.at_unix)
end

local function pass_on(id, attempt, text)
  local signals = signals_of(text, attempt, number_or(redis.call('HGET', job_key(id), 'mlq_signaled')))
  for _, one in ipairs(signals) do
    table.insert(reply_of.signal, { id, attempt, unpack(one) })
  end
  if #signals == 0 then
    redis.call('HDEL', job_key(id), 'mlq_signals')
  end
end

for _, held in ipairs(args.attempts) do
  local id, attempt, progress, ended, signature, fields = unpack(held)
  local found = redis.call('HMGET', job_key(id), 'status', 'mlq_attempt', 'mlq_machine', 'origin',
    'mlq_stop', 'mlq_signature', 'mlq_wish', 'mlq_signals')
  local job = {
    status = found[1], attempt = number_or(found[2]), machine = found[3],
    class = found[4] or '', stop = found[5], signature = found[6], requeue = found[7], signals = found[8],
  }
  if not job.status then
    note_if_gone(id)
  end
  local how = standing(id, attempt, job, signature)
  if other_holder and how ~= 'lost' then
    how = nil
  elseif how == 'adopted' then
    adopt(id, attempt, job)
    table.insert(reply_of.adopted, { id, attempt })
    how = 'alive'
  elseif how == 'alive' and not ended then
    extend(id, attempt)
  end
  if how then
    table.insert(reply_of[how], { id, attempt })
  end
  if how == 'alive' and not ended then
    if progress ~= '' then
      redis.call('HSET', job_key(id), 'mlq_progress', progress)
    end
    if fields and #fields > 0 then
      redis.call('HSET', job_key(id), unpack(fields))
    end
    if job.stop then
      table.insert(reply_of.stop, { id, attempt, job.stop })
    elseif job.requeue then
      table.insert(reply_of.requeue, { id, attempt, job.requeue })
    end
    if job.signals then
      pass_on(id, attempt, job.signals)
    end
  end
end
return reply(reply_of)
