-- starts(words, lease_s) -> {starts, last, living, running}
--   words   of commands (mlq.jobs.needs)
--   starts  {word: ['machine how id']}: their last starts on any machine, the newest first
--   last    {machine: how}: the last start of each machine, of whatever command
--   living  [machine]: those heard within lease_s
--   running {word: [machine]}: the living machines that run attempts of a command now
-- Read-only.
local starts, last = {}, {}
for _, word in ipairs(args.words) do
  starts[word] = redis.call('LRANGE', 'mlq:starts:' .. word, 0, -1)
end
local flat = redis.call('HGETALL', 'mlq:last_starts')
for i = 1, #flat, 2 do
  last[flat[i]] = flat[i + 1]
end
local living = redis.call('ZRANGEBYSCORE', 'mlq:machines', now() - args.lease_s, '+inf')

local running = {}
for _, machine in ipairs(living) do
  local seen = {}
  for _, member in ipairs(redis.call('SMEMBERS', 'mlq:held:' .. machine)) do
    local id = string.match(member, '^(.-):%d+$')
    local word = id and command_of(redis.call('HGET', job_key(id), 'mlq_needs'))
    if word and starts[word] and not seen[word] then
      seen[word] = true
      running[word] = running[word] or {}
      table.insert(running[word], machine)
    end
  end
end
return cjson.encode({ starts = starts, last = last, living = living, running = running })
