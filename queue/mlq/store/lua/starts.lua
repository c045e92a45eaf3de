-- starts(words, lease_s) -> {starts, last, living}
--   words   of commands (mlq.jobs.needs)
--   starts  {word: ['machine how id']}: their last starts on any machine, the newest first
--   last    {machine: how}: the last start of each machine, of whatever command
--   living  [machine]: those heard within lease_s
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
return cjson.encode({ starts = starts, last = last, living = living })
