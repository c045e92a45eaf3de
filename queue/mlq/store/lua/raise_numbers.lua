-- raise_numbers(least) -> {last}
--   least  job numbers up to this one were given out once, as NFS shows: never give them out again,
--          even if this server has lost its memory of it
--   last   the last number that counts as given out now
local last = tonumber(redis.call('GET', 'mlq:last_number')) or 0
if last < args.least then
  redis.call('SET', 'mlq:last_number', args.least)
  last = args.least
end
return reply({ last = last })
