-- hold_sweeps(numbers, reason) -> {held}
--   numbers  of sweeps that give nothing out from now on; members that run go on
--   held     [number]: those of them that were not held before
local earlier = cached_reply()
if earlier then return earlier end

local held = {}
for _, number in ipairs(args.numbers) do
  local key = sweep_key(number)
  if redis.call('EXISTS', key) == 1 and redis.call('HSETNX', key, 'held', args.reason) == 1 then
    held[#held + 1] = tonumber(number)
  end
end
return reply({ held = held })
