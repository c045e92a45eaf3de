-- machines() -> {machines}
--   machines  [[machine, heard_s, record]]: how long ago the queue heard each, and what it last said
--             of itself, JSON text, '' if that has expired
-- Read-only.
local at = now()
local machines = {}
local heard = redis.call('ZRANGE', 'mlq:machines', 0, -1, 'WITHSCORES')
for i = 1, #heard, 2 do
  machines[#machines + 1] = { heard[i], at - number_or(heard[i + 1]),
    redis.call('GET', 'mlq:machine:' .. heard[i]) or '' }
end
return cjson.encode({ machines = machines })
