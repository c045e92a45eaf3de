-- restore_renumbered() -> {}
-- No job that was enqueued meanwhile has one of the queue's numbers any more; the queue's own jobs
-- are restored next.
local state = cjson.decode(redis.call('GET', 'mlq:restoring') or '{}')
if state.queue then
  state.renumbers = false
  redis.call('SET', 'mlq:restoring', cjson.encode(state))
end
return reply({})
