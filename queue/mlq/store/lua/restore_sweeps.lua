-- restore_sweeps(sweeps) -> {restored}
--   sweeps    {number: {field: text}}: mlq:sweep:<number> as a copy had it
--   restored  how many of them have members here, and their options again
local earlier = cached_reply()
if earlier then return earlier end

local restored = 0
for number, fields in pairs(args.sweeps) do
  local key = sweep_key(number)
  if redis.call('EXISTS', key) == 1 then
    local free = number_or(redis.call('HGET', key, 'next'))
    for field, value in pairs(fields) do
      redis.call('HSET', key, field, value)
    end
    redis.call('HSET', key, 'next', math.max(free, number_or(fields.next)))
    restored = restored + 1
  end
end
return reply({ restored = restored })
