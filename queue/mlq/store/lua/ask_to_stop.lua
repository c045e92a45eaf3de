-- ask_to_stop(ids, reason) -> {asked}
--   asked  [id]: running jobs that are marked; their worker stops them and then moves them
local earlier = cached_reply()
if earlier then return earlier end

local asked = {}
for _, id in ipairs(args.ids) do
  if redis.call('HGET', job_key(id), 'status') == State.STARTED then
    redis.call('HSET', job_key(id), 'mlq_stop', args.reason)
    asked[#asked + 1] = id
  end
end
wake = 'stop'
return reply({ asked = asked })
