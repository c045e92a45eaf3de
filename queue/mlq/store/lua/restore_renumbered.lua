-- restore_renumbered() -> {}
-- No job that was enqueued meanwhile has a number of the queue's any more; their own are next.
local state = cjson.decode(redis.call('GET', 'mlq:restoring') or '{}')
if state.queue then
  state.renumbers = false
  redis.call('SET', 'mlq:restoring', cjson.encode(state))
end
return reply({})
