-- held(machine) -> {attempts}
--   attempts  [{id, attempt, boot_id, supervisor_id, losses, stop}]: what the queue believes this
--             machine runs
-- A starting worker learns from this what a reboot or a crash has ended. It changes only one thing:
-- it drops an attempt of a job that rq's tools deleted, and any entry that is not an attempt.
local attempts = {}
for _, member in ipairs(redis.call('SMEMBERS', 'mlq:held:' .. args.machine)) do
  local id, attempt = string.match(member, '^(.-):(%d+)$')
  if not id or #attempt > 9 or note_if_gone(id) then
    redis.call('SREM', 'mlq:held:' .. args.machine, member)
  else
    local job = redis.call('HMGET', job_key(id), 'mlq_boot_id', 'mlq_supervisor_id',
      'mlq_losses', 'mlq_stop')
    attempts[#attempts + 1] = {
      id = id, attempt = tonumber(attempt), boot_id = job[1] or '', supervisor_id = job[2] or '',
      losses = number_or(job[3]), stop = job[4] or '',
    }
  end
end
return cjson.encode({ attempts = attempts })
