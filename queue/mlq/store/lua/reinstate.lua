-- reinstate(id, attempt, found, who) -> {reinstated}
--   attempt  the caller's, which it must not run: the results root knows that number already
--   found    the last attempt that the results root knows of
--   who      {machine, worker, boot_id, supervisor_id, at, at_unix}: where that ran, as it is noted
--            beside it
-- A queue that was restored from a backup has forgotten attempts, and gives their numbers out again.
-- The last of them may be alive, or may have ended with a result. So the job is put where it would
-- stand if nothing had been forgotten: at that attempt, with a lease that has run out. Its machine
-- renews it; or the reaper finds its result, or gives its ordinary verdict.
local earlier = cached_reply()
if earlier then return earlier end

local key = job_key(args.id)
local job = redis.call('HMGET', key, 'status', 'mlq_attempt', 'origin')
if job[1] ~= State.STARTED or tonumber(job[2]) ~= args.attempt or args.found < args.attempt then
  return reply({ reinstated = false })
end
leave(args.id, job[1], job[3] or '')
hold_attempt(args.id, job[3] or '', args.found, args.who, now())
enter(args.id, State.STARTED, job[3] or '')
return reply({ reinstated = true })
