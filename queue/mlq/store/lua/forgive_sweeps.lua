-- forgive_sweeps(numbers) -> {released}
--   numbers   of sweeps some of whose failures were those of a machine: they do not count
--   released  [number]: those of them that were held because their first members had failed
-- Unlike release_sweeps, they are held again if members fail elsewhere too.
local earlier = cached_reply()
if earlier then return earlier end

local released = {}
for _, number in ipairs(args.numbers) do
  local key = sweep_key(number)
  redis.call('HDEL', key, 'fails')
  if redis.call('HDEL', key, 'failing') == 1 then
    redis.call('HDEL', key, 'held')
    released[#released + 1] = tonumber(number)
    wake = 'work'
  end
end
return reply({ released = released })
