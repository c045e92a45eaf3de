-- note_starts(machine, starts) -> {noted}
--   starts  [[id, how]]: attempts that this machine runs, and how each started: 'good' or 'bad'
-- For what is known before the attempt ends; an end is noted with its move.
local earlier = cached_reply()
if earlier then return earlier end

for _, start in ipairs(args.starts) do
  note_start(start[1], args.machine, start[2])
end
return reply({ noted = #args.starts })
