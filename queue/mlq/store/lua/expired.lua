-- expired(lease_s, quiet_s, limit) -> {attempts, holders}
--   attempts  [{id, attempt, machine, boot_id, supervisor_id, losses, stop, lease, expired}] whose
--             lease was not renewed for quiet_s on this server's clock, longest first
--             lease    when it ends: text that changes with every renewal
--             expired  whether it has run out on this server's clock
--   holders   [machine]: every machine that holds attempts, so that its beat is watched before any
--             lease of it runs out
-- This server's clock may jump. So a lease is reported early, for the reaper to watch by its own
-- clock; and a lease that ends later than a renewal can make it is reported, too, because the clock
-- was set back since. An expired lease is only half of the evidence that an attempt is dead, so
-- this operation changes only one thing: it drops the lease of a job that rq's tools deleted, or
-- that never existed.
local at = now()
local attempts = {}

local function tell(members)
  for i = 1, #members, 2 do
    local id, attempt = string.match(members[i], '^(.-):(%d+)$')
    if not id or #attempt > 9 or note_if_gone(id) then
      redis.call('ZREM', 'mlq:leases', members[i])
    else
      local job = redis.call('HMGET', job_key(id), 'mlq_machine', 'mlq_boot_id',
        'mlq_supervisor_id', 'mlq_losses', 'mlq_stop')
      attempts[#attempts + 1] = {
        id = id, attempt = tonumber(attempt), machine = job[1] or '', boot_id = job[2] or '',
        supervisor_id = job[3] or '', losses = number_or(job[4]), stop = job[5] or '',
        lease = members[i + 1], expired = tonumber(members[i + 1]) <= at,
      }
    end
  end
end

tell(redis.call('ZRANGEBYSCORE', 'mlq:leases', '-inf', at + args.lease_s - args.quiet_s,
  'WITHSCORES', 'LIMIT', 0, args.limit))
tell(redis.call('ZRANGEBYSCORE', 'mlq:leases', '(' .. at + args.lease_s, '+inf',
  'WITHSCORES', 'LIMIT', 0, args.limit))
local holders = {}
for _, machine in ipairs(redis.call('ZRANGE', 'mlq:machines', 0, -1)) do
  if redis.call('EXISTS', 'mlq:held:' .. machine) == 1 then
    holders[#holders + 1] = machine
  end
end
return cjson.encode({ attempts = attempts, holders = holders })
