-- machines() -> {machines}
--   machines  [[machine, heard_s, record, people]]: how long ago the queue heard each, and what it last said
--             of itself, JSON text, '' if it has said nothing yet. A machine of which that has expired
--             is gone, unless it is believed to run jobs. Fourth: who holds what there now, JSON text,
--             '' if nobody has said it lately
-- Read-only.
local at = now()
local SOON_S = 590
local machines = {}
local heard = redis.call('ZRANGE', 'mlq:machines', 0, -1, 'WITHSCORES')
for i = 1, #heard, 2 do
  local record = redis.call('GET', 'mlq:machine:' .. heard[i]) or ''
  local heard_s = at - number_or(heard[i + 1])
  if record ~= '' or heard_s < SOON_S or redis.call('EXISTS', 'mlq:held:' .. heard[i]) == 1 then
    machines[#machines + 1] = { heard[i], heard_s, record, redis.call('GET', 'mlq:people:' .. heard[i]) or '' }
  end
end
return cjson.encode({ machines = machines })
