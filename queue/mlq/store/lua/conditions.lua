-- conditions() -> {machines, sightings}
--   machines   [{machine, heard_s, condition, tunnel}]: every machine that holds attempts; how long
--              ago the queue heard it, what it then said was wrong ('' if nothing), and whether a
--              tunnel leads from it to the queue
--   sightings  what the reaper last saw on NFS of those whose leases ran out, JSON text; '' if none
-- Read-only.
local at = now()
local machines = {}
local heard = redis.call('ZRANGE', 'mlq:machines', 0, -1, 'WITHSCORES')
for i = 1, #heard, 2 do
  local machine = heard[i]
  if redis.call('EXISTS', 'mlq:held:' .. machine) == 1 then
    local readable, record = pcall(cjson.decode, redis.call('GET', 'mlq:machine:' .. machine) or '{}')
    if not readable or type(record) ~= 'table' then
      record = {}
    end
    machines[#machines + 1] = {
      machine = machine, heard_s = at - number_or(heard[i + 1]),
      condition = type(record.condition) == 'string' and record.condition or '',
      tunnel = record.tunnel == true,
    }
  end
end
return cjson.encode({ machines = machines, sightings = redis.call('GET', 'mlq:sightings') or '' })
