-- move(moves, at, avoid_s, states) -> {moved, stale}
--   moves   [{id, attempt, from, to, fields, clear, result, lost_on, if_lapsed}]
--             from     the states in which the move is right
--             attempt  the fencing token: the attempt the caller speaks of; 0 if it speaks of none
--             fields   flat list of hash fields to set; clear: names of fields to drop
--             result   flat list for rq's result stream, or empty
--             lost_on  the machine that was lost under the job, or ''
--             if_lapsed  only if the attempt's lease has run out
--   states  {good, waiting, ready, refused, running, ended: {state: true}}
--   moved   [id]; stale: [id] (the job is not in that state, or at another attempt: nothing done)
-- The one way a job changes its state after it was submitted, but for being claimed. Whoever ends
-- an attempt may not know yet that the job's user wants it to stop; so it is looked up here, and a
-- job that would go back to the queue is canceled instead.
local earlier = cached_reply()
if earlier then return earlier end

local states = args.states

local function has_lapsed(id, attempt)
  local expiry = redis.call('ZSCORE', 'mlq:leases', attempt_member(id, attempt))
  return not expiry or tonumber(expiry) < now()
end

local moved, stale = {}, {}
for _, move in ipairs(args.moves) do
  local key = job_key(move.id)
  local job = redis.call('HMGET', key, 'status', 'mlq_attempt', 'origin', 'mlq_stop')
  local to = move.to
  local right = false
  for _, state in ipairs(move.from) do
    right = right or job[1] == state
  end
  right = right and (move.attempt == 0 or tonumber(job[2]) == move.attempt)
  if right and not (move.if_lapsed and not has_lapsed(move.id, move.attempt)) then
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
    if job[1] == states.running and to == states.ready and job[4] then
      to = states.refused
      redis.call('HSET', key, 'mlq_reason', job[4])
    end
    enter(move.id, to, job[3])
    if states.ended[to] then
      redis.call('HSETNX', key, 'ended_at', args.at)
      tell_dependents(move.id, to, states, args.at)
    end
    moved[#moved + 1] = move.id
  else
    stale[#stale + 1] = move.id
  end
end
return reply({ moved = moved, stale = stale })
