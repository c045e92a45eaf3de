-- hold_role(role, machine, ttl_s) -> {holder}
--   holder  the machine that has the role now: the caller, if it was free or the caller's already
-- Not cached: asking twice only lengthens it.
local key = 'mlq:' .. args.role
local holder = redis.call('GET', key)
if not holder or holder == args.machine then
  redis.call('SET', key, args.machine, 'PX', math.ceil(args.ttl_s * 1000))
  holder = args.machine
end
return reply({ holder = holder })
