-- forget_machine(machine, quiet_s) -> {forgotten, heard_s, holds}
--   quiet_s    a machine heard since then is alive, and is not forgotten
--   forgotten  whether the machine was known and is forgotten now
--   heard_s    how long ago it was heard, -1 if it is not known
--   holds      whether it is believed to run jobs, which keeps it, too
local earlier = cached_reply()
if earlier then return earlier end

local machine = args.machine
local at = redis.call('ZSCORE', 'mlq:machines', machine)
local heard_s = at and now() - number_or(at) or -1
local holds = redis.call('EXISTS', 'mlq:held:' .. machine) == 1
local forgotten = at and heard_s > args.quiet_s and not holds or false
if forgotten then
  redis.call('ZREM', 'mlq:machines', machine)
  redis.call('DEL', 'mlq:machine:' .. machine, name_key(machine), 'rq:worker:' .. machine)
  redis.call('SREM', 'rq:workers', 'rq:worker:' .. machine)
  redis.call('HDEL', 'mlq:last_starts', machine)
  for _, queue in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
    redis.call('SREM', 'rq:workers:' .. class_of(queue), 'rq:worker:' .. machine)
  end
end
return reply({ forgotten = forgotten, heard_s = heard_s, holds = holds })
