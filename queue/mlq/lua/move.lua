-- move(moves, at, avoid_s, states) -> {moved, stale}
--   moves   [{id, attempt, from, to, fields, clear, result, lost_on}]
--             from     the states in which the move is right
--             attempt  the fencing token: the attempt the caller speaks of; 0 if it speaks of none
--             fields   flat list of hash fields to set; clear: names of fields to drop
--             result   flat list for rq's result stream, or empty
--             lost_on  the machine that was lost under the job, or ''
--   states  {good, waiting, ready, refused, running, ended: {state: true}}
--   moved   [id]; stale: [id] (the job is not in that state, or at another attempt: nothing done)
-- The one way a job changes its state after it was submitted, but for being claimed.
local earlier = cached_reply()
if earlier then return earlier end

local states = args.states
local moved, stale = {}, {}
for _, move in ipairs(args.moves) do
  local key = job_key(move.id)
  local job = redis.call('HMGET', key, 'status', 'mlq_attempt', 'origin')
  local right = false
  for _, state in ipairs(move.from) do
    right = right or job[1] == state
  end
  if right and (move.attempt == 0 or tonumber(job[2]) == move.attempt) then
    leave(move.id, job[1], job[3])
    if #move.fields > 0 then
      redis.call('HSET', key, unpack(move.fields))
    end
    if #move.clear > 0 then
      redis.call('HDEL', key, unpack(move.clear))
    end
    if move.lost_on ~= '' then
      redis.call('HINCRBY', key, 'mlq_losses', 1)
      redis.call('HSET', key, 'mlq_avoid', move.lost_on, 'mlq_avoid_until', now() + args.avoid_s)
    end
    if #move.result > 0 then
      redis.call('XADD', 'rq:results:' .. move.id, 'MAXLEN', 10, '*', unpack(move.result))
    end
    enter(move.id, move.to, job[3])
    if states.ended[move.to] then
      tell_dependents(move.id, move.to, states, args.at)
    end
    moved[#moved + 1] = move.id
  else
    stale[#stale + 1] = move.id
  end
end
return reply({ moved = moved, stale = stale })
