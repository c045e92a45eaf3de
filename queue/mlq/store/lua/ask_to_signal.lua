-- ask_to_signal(ids, number, whom) -> {asked, full}
--   number  the signal; whom: 'program', 'script' or 'all' (mlq.jobs.signals)
--   asked   [id]: running jobs; their worker passes the signal on to the present attempt, once
--   full    [id]: running jobs that already have as many signals on the way as are kept
-- A request has a number that only grows, so that a supervisor obeys it once however often it is told.
local earlier = cached_reply()
if earlier then return earlier end

local MOST = 32
local asked, full = {}, {}
for _, id in ipairs(args.ids) do
  local job = redis.call('HMGET', job_key(id), 'status', 'mlq_attempt', 'mlq_signals', 'mlq_signaled')
  if job[1] == State.STARTED then
    local attempt, last = number_or(job[2]), number_or(job[4])
    local kept = {}
    for _, one in ipairs(signals_of(job[3], attempt, last)) do
      kept[#kept + 1] = signal_text(attempt, unpack(one))
      last = one[1]
    end
    if #kept >= MOST then
      full[#full + 1] = id
    else
      local sequence = math.max(last + 1, math.floor(now() * 1000))
      kept[#kept + 1] = signal_text(attempt, sequence, args.number, args.whom)
      redis.call('HSET', job_key(id), 'mlq_signals', table.concat(kept, ' '))
      asked[#asked + 1] = id
    end
  end
end
wake = 'stop'
return reply({ asked = asked, full = full })
