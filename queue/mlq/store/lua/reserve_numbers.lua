-- reserve_numbers(count) -> {first} or {last}
-- Give out `count` job numbers, never used before, in a row.
--   last  there are none left: the last number that counts as given out
local earlier = cached_reply()
if earlier then return earlier end

local last = last_number()
if last + args.count > LARGEST_NUMBER then
  return reply({ last = last })
end
set_last_number(last + args.count)
return reply({ first = last + 1 })
