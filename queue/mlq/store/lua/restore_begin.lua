-- restore_begin(queue, high) -> {holds} or {queue, high, since, renumbers}
--   queue      the id of the queue that is to be made anew here
--   high       job numbers up to this one were given out, as the results root shows
--   holds      the id of the queue that is here; then nothing was changed
--   high       as an earlier call had it, whose restoring was interrupted
--   renumbers  whether jobs that were enqueued here meanwhile may still have numbers of the queue's
-- From now on until `restore_end` no job is given out.
local earlier = cached_reply()
if earlier then return earlier end

local id = redis.call('GET', 'mlq:queue_id')
if id then
  return reply({ holds = id })
end
local found = redis.call('GET', 'mlq:restoring')
local state = found and cjson.decode(found)
if not state or state.queue ~= args.queue then
  state = { queue = args.queue, high = args.high, since = now(), renumbers = true }
  redis.call('SET', 'mlq:restoring', cjson.encode(state))
end
set_last_number(math.max(last_number(), math.min(args.high, LARGEST_NUMBER)))
return reply(state)
