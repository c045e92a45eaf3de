-- restore_end(queue, root, pause_s) -> {jobs, pause_s} or {holds}
--   queue    the id of the queue that was made anew; it is this one from now on
--   root     its results root
--   pause_s  how long after the beginning the first job may be given out: by then each machine that
--            runs an attempt that was not written down has renewed it, or has paused it
--   jobs     how many jobs it has; pause_s: what is left of the pause
--   holds    the id of the queue that is here instead; then nothing was changed
local earlier = cached_reply()
if earlier then return earlier end

local id = redis.call('GET', 'mlq:queue_id')
local state = cjson.decode(redis.call('GET', 'mlq:restoring') or '{}')
if id or state.queue ~= args.queue then
  return reply({ holds = id or '' })
end
local left = math.min(args.pause_s, math.max(0, args.pause_s - (now() - state.since)))
redis.call('MSET', 'mlq:queue_id', args.queue, 'mlq:root', args.root)
redis.call('DEL', 'mlq:restoring', 'mlq:restoring:renumbered')
if left > 0 then
  redis.call('SET', 'mlq:restored', args.queue, 'PX', math.ceil(left * 1000))
end
wake = 'work'
return reply({ jobs = redis.call('ZCARD', 'mlq:jobs'), pause_s = left })
