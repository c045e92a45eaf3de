-- let_go(words) -> {dropped}
--   words  of commands (mlq.jobs.needs) that are held no longer; how they started is forgotten, too
local earlier = cached_reply()
if earlier then return earlier end

local dropped = 0
for _, word in ipairs(args.words) do
  dropped = dropped + redis.call('DEL', 'mlq:hold:' .. word)
  redis.call('DEL', 'mlq:starts:' .. word)
end
return reply({ dropped = dropped })
