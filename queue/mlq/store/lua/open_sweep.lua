-- open_sweep(name, options, at, is_new) -> {number, next, held}
--   name     of the sweep: the set that its members belong to
--   options  {field: text} of mlq:sweep:<number>; what is left out stays as it is
--   at       the present, ISO
--   is_new   whether it is a new sweep in any case; its name then means the new one
--   number   its job number; one that was not there is given the next
--   next     the next free index
--   held     why it was held because of failures, or ''. It is held no longer: the user who enqueues
--            it again has mended it, and its ends count from here on
local earlier = cached_reply()
if earlier then return earlier end

local number = redis.call('HGET', 'mlq:sweeps', args.name)
if args.is_new or not number or redis.call('EXISTS', sweep_key(number)) == 0 then
  number = string.format('%.0f', last_number() + 1)
  set_last_number(number)
  redis.call('HSET', 'mlq:sweeps', args.name, number)
  redis.call('HSET', sweep_key(number), 'name', args.name, 'next', 0)
end
local key = sweep_key(number)
local sweep = redis.call('HMGET', key, 'held', 'failing', 'next')
redis.call('HSET', key, 'at', args.at)
for field, value in pairs(args.options) do
  redis.call('HSET', key, field, value)
end
redis.call('HDEL', key, 'fails', 'good', 'failing')
-- A sweep that its user holds by hand stays held.
local held = sweep[1] and sweep[2] and sweep[1] or ''
if held ~= '' then
  redis.call('HDEL', key, 'held')
  wake = 'work'
end
return reply({ number = tonumber(number), next = number_or(sweep[3]), held = held })
