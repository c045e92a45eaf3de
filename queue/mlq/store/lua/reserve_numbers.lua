-- reserve_numbers(count) -> {first}
-- Give out `count` job numbers, never used before, in a row.
local earlier = cached_reply()
if earlier then return earlier end

local last = redis.call('INCRBY', 'mlq:last_number', args.count)
return reply({ first = last - args.count + 1 })
