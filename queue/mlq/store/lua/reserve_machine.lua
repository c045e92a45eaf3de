-- reserve_machine(id, machine, ttl_s) -> {holder}
--   holder  the machine that drains for this starving job; '' if this machine holds another
-- One machine a job and one job a machine; a reservation ends with its job's waiting, or by
-- itself when the machine does not repeat it.
local earlier = cached_reply()
if earlier then return earlier end

local at = now()
local all = redis.call('HGETALL', 'mlq:reservations')
local holder = args.machine
for i = 1, #all, 2 do
  local id, machine, expiry = all[i], string.match(all[i + 1], '^(.*) (%S+)$')
  if number_or(expiry) < at or redis.call('HGET', job_key(id), 'status') ~= State.QUEUED then
    redis.call('HDEL', 'mlq:reservations', id)
  elseif id == args.id then
    holder = machine
  elseif machine == args.machine and holder == args.machine then
    holder = ''
  end
end
if holder == args.machine then
  redis.call('HSET', 'mlq:reservations', args.id, args.machine .. ' ' .. (at + args.ttl_s))
end
return reply({ holder = holder })
