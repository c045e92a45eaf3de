-- release_sweeps(numbers) -> {released}
--   numbers   of sweeps that are held no longer, and not again because their first members failed
--   released  [number]: those of them that were held
local earlier = cached_reply()
if earlier then return earlier end

local released = {}
for _, number in ipairs(args.numbers) do
  local key = sweep_key(number)
  if redis.call('HDEL', key, 'held') == 1 then
    redis.call('HDEL', key, 'failing')
    redis.call('HSET', key, 'good', 1)
    released[#released + 1] = tonumber(number)
    wake = 'work'
  end
end
return reply({ released = released })
