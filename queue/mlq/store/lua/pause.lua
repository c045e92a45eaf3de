-- pause(reason) -> {before}
--   reason  why the queue is paused from now on; '' resumes it
--   before  the reason until now; '' if there was none
local earlier = cached_reply()
if earlier then return earlier end

local before = redis.call('GET', 'mlq:paused') or ''
if args.reason ~= '' then
  redis.call('SET', 'mlq:paused', args.reason)
else
  redis.call('DEL', 'mlq:paused')
  wake = 'work'
end
return reply({ before = before })
