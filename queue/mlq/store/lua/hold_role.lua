-- hold_role(role, machine, ttl_s, instead_of) -> {holder, shown}
--   instead_of  the role is taken from the machine that showed this and shows nothing else yet, or ''
--   holder      the machine that has the role now: the caller, if it was free or the caller's already
--   shown       text that changes with every renewal
-- The key expires by this server's clock. If that is set back, the key stays; so other machines
-- measure by their own clocks how long it has shown the same. Not cached: asking twice only
-- lengthens it.
local key = 'mlq:' .. args.role
local shown = redis.call('GET', key)
local holder = shown and (string.match(shown, '^(%S+) ') or shown)
if not holder or holder == args.machine or shown == args.instead_of then
  holder = args.machine
  shown = holder .. ' ' .. string.format('%.6f', now())
  redis.call('SET', key, shown, 'PX', math.ceil(args.ttl_s * 1000))
end
return reply({ holder = holder, shown = shown })
