-- ask_to_requeue(ids, reason, pause_s, due) -> {asked, stopping}
--   pause_s   after how long they may start again; due: the same as a time, for people; 0 and '': at once
--   asked     [id]: running jobs that are marked; their worker stops the attempt and queues them again
--   stopping  [id]: running jobs that their user has canceled; that stays so
local earlier = cached_reply()
if earlier then return earlier end

local asked, stopping = {}, {}
for _, id in ipairs(args.ids) do
  local job = redis.call('HMGET', job_key(id), 'status', 'mlq_stop')
  if job[1] == State.STARTED and job[2] then
    stopping[#stopping + 1] = id
  elseif job[1] == State.STARTED then
    redis.call('HSET', job_key(id), 'mlq_wish', args.reason)
    if args.pause_s > 0 then
      redis.call('HSET', job_key(id), 'mlq_return', now() + args.pause_s, 'mlq_due', args.due)
    end
    asked[#asked + 1] = id
  end
end
wake = 'stop'
return reply({ asked = asked, stopping = stopping })
