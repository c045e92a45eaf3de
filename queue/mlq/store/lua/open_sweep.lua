-- open_sweep(name, options, at, is_new, array?) -> {number, next, held}
--   name     of the sweep: the set that its members belong to
--   array    the keys of some members of an array; left out for any other sweep. Only an array that
--            knows one of them goes on; otherwise this is another array of that name
--   options  {field: text} of mlq:sweep:<number>; what is left out stays as it is
--   at       the present, ISO
--   is_new   whether it is a new sweep in any case; its name then means the new one
--   number   its job number; one that was not there is given the next
--   next     the next free index
--   held     why it was held because of failures, or ''. It is held no longer: the user who enqueues
--            it again has mended it, and its ends count from here on
local earlier = cached_reply()
if earlier then return earlier end

-- Whether the latest sweep of this name is the one that is meant.
local function goes_on(number)
  local key, members = sweep_key(number), members_key(number)
  if args.is_new or redis.call('EXISTS', key) == 0 then
    return false
  elseif (redis.call('HEXISTS', key, 'array') == 1) ~= (args.array ~= nil) then
    return false
  elseif not args.array or redis.call('HLEN', members) == 0 then
    return true -- another client has just opened it
  end
  for _, index in ipairs(redis.call('HMGET', members, unpack(args.array))) do
    if index then
      return true
    end
  end
  return false
end

local number = redis.call('HGET', 'mlq:sweeps', args.name)
if not number or not goes_on(number) then
  number = string.format('%.0f', last_number() + 1)
  set_last_number(number)
  list_sweep(args.name, number)
  redis.call('HSET', sweep_key(number), 'name', args.name, 'next', args.array and ARRAY_AGAIN or 0)
  if args.array then
    redis.call('HSET', sweep_key(number), 'array', 1)
  end
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
