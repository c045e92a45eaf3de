-- due(limit) -> {ids, untold}
--   ids     jobs whose time has come: rq's own `enqueue_at` and `enqueue_in` leave them in its registry
--           of scheduled jobs, scored by when they are due
--   untold  how many ended jobs still have dependents to be told (see tell)
-- Read-only.
local at = now()
local ids = {}
for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  local registry = registry_key(State.SCHEDULED, class_of(key))
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', registry, '-inf', at, 'LIMIT', 0, args.limit)) do
    ids[#ids + 1] = id
  end
end
return cjson.encode({ ids = ids, untold = redis.call('LLEN', 'mlq:telling') })
