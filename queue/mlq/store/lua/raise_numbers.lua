-- raise_numbers(least) -> {last}
--   least  job numbers up to this one were given out once, as NFS shows: never give them out again,
--          even if this server has lost its memory of it
--   last   the last number that counts as given out now
local last = last_number()
if last < args.least and args.least <= LARGEST_NUMBER then
  last = args.least
end
set_last_number(last)
return reply({ last = last })
