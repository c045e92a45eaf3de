-- renew(machine, attempts, lease_s, at, at_unix, states) -> {alive, lost, stop}
--   attempts  [{id, attempt, progress}]: what the machine still runs; progress is '' if unknown
--   states    {running}
--   alive     [[id, attempt]]: still ours, lease extended
--   lost      [[id, attempt]]: no longer ours, to be killed at once
--   stop      [[id, attempt, reason]]: still ours, and its user wants it to end
-- The machine is compared, too: a queue that was restored from a backup counts attempts anew.
-- Also how a machine says that it is there. Not cached: doing it twice does no harm.
local renewed_at = now()
local alive, lost, stop = {}, {}, {}
redis.call('ZADD', 'mlq:machines', renewed_at, args.machine)
for _, held in ipairs(args.attempts) do
  local id, attempt = held[1], held[2]
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'status', 'mlq_attempt', 'mlq_stop', 'mlq_machine')
  local ours = tonumber(job[2]) == attempt and job[4] == args.machine
  if job[1] == args.states.running and ours then
    local member = attempt_member(id, attempt)
    redis.call('ZADD', 'mlq:leases', renewed_at + args.lease_s, member)
    redis.call('HSET', key, 'last_heartbeat', args.at)
    redis.call('HSET', 'rq:execution:' .. member, 'last_heartbeat', args.at_unix)
    if held[3] ~= '' then
      redis.call('HSET', key, 'mlq_progress', held[3])
    end
    alive[#alive + 1] = { id, attempt }
    if job[3] then
      stop[#stop + 1] = { id, attempt, job[3] }
    end
  else
    lost[#lost + 1] = { id, attempt }
  end
end
return reply({ alive = alive, lost = lost, stop = stop })
