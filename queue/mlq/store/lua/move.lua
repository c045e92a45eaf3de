-- move(moves, at, avoid_s, templates?) -> {moved, stale, refused, untold, revived}
--   moves   [{id, attempt, from, to, fields, clear, result, lost_on, avoid, pause_s,
--             lease, machine, class, signature, start, having, learned, text?}]
--             from     the states in which the move is valid
--             attempt  the fencing token: the attempt the caller speaks of; 0 if it speaks of none
--             fields   flat list of hash fields to set; clear: names of fields to drop
--             result   flat list for rq's result stream, or empty
--             lost_on  the machine that was lost under the job, or ''
--             avoid    the machine that from now on lets others take the job first, or ''
--             pause_s  after how long the job is due, if it is to be tried again later
--             lease    only while the attempt's lease is still this one (see expired), or ''
--             machine  only if the attempt runs on this machine by what the queue knows, or ''. A queue
--                      that was restored from a backup may have given its number to another
--             class    the class it belongs to from now on, or '' for the one it is in
--             signature  only for the job of this signature, or ''
--             start    how the attempt started, 'good' or 'bad', or '' if that is not known
--             having   a field that the job must have for the move to be valid, or ''
--             learned  what is remembered of a finished run: a line of mlq:past, or ''
--             text     the text that it has from now on, signed by the caller: {class, template,
--                      spec, fields, clear} as in edit.lua; left out if it keeps its text
--   avoid_s for how long after it was queued a job waits for another machine than the one it avoids
--   templates  {digest: template}, of these texts: see _templates.lua; left out if there are none
--   moved   [id]; stale: [id] (the job is not in that state, or at another attempt: nothing done)
--   refused [[id, attempt, why]]: the move failed, as when a key is not of its kind; it may be made
--             again, and the others were made
--   untold  how many ended jobs still have dependents to be told (see tell)
--   revived [[parent, id]]: jobs put back that were canceled because of a parent run again here
-- Apart from a claim, this is the only way in which a submitted job changes its state. A caller
-- that ends an attempt may not yet know that the job's user wants it to stop; so this script looks
-- that up and cancels a job that would go back to the queue. And a job that is run again waits for
-- those of its parents that have not ended.
local earlier = cached_reply()
if earlier then return earlier end

-- Why a job that would go back to the queue is held: its command fails wherever it is tried, and it
-- was there when that was found.
local function why_held(id)
  local job = redis.call('HMGET', job_key(id), 'mlq_needs', 'mlq_released')
  local word = not job[2] and command_of(job[1])
  local text = word and redis.call('GET', 'mlq:hold:' .. word)
  local hold = text and cjson.decode(text)
  return hold and order_of(id) <= hold.upto and hold.reason or nil
end

-- Whether the job may have to wait for parents: if it is run again, held while it waited for them or
-- let go after that, or due for its first start.
local function may_have_parents(id, from, to)
  return to == State.QUEUED and (ENDED[from] or from == State.DEFERRED)
    or from == State.DEFERRED and to == State.DEFERRED
    or from == State.SCHEDULED and to == State.QUEUED
    and redis.call('HEXISTS', job_key(id), 'mlq_attempt') == 0
end

-- The state to which an event really leads, by what only the queue knows at this moment; also the
-- fields that say why it leads elsewhere, and the parents that the job has to wait for. Writes
-- nothing.
local function destination(id, from, to, stop)
  local goes_back = to == State.QUEUED or to == State.SCHEDULED
  if goes_back and stop and from == State.STARTED then
    return Target.CANCEL, { 'mlq_reason', stop }, {}
  end
  if goes_back and (from == State.STARTED or from == State.SCHEDULED) then
    local why = why_held(id)
    if why then
      return Target.HOLD, { 'mlq_held', why, 'mlq_reason', why }, {}
    end
  end
  if not may_have_parents(id, from, to) then
    return to, {}, {}
  end
  local pending, bad, why, behind = parents_of(id)
  if bad and to == State.QUEUED and not ENDED[from] then
    return Target.PARENT_FAILED, { 'mlq_reason', why }, {}
  end
  return #pending > 0 and Target.RERUN_LATER or to, behind and { 'mlq_behind', behind } or {}, pending
end

-- When a job may start and under which event, if its user delayed its start and that time has not
-- come, or if its attempt asked for a pause.
local function start_of(id, from, to)
  if from == State.STARTED and to == State.QUEUED then
    local back = number_or(redis.call('HGET', job_key(id), 'mlq_return'))
    return back > now() and back or nil, Target.RETURN_LATER
  end
  if from ~= State.DEFERRED or to ~= State.QUEUED then
    return nil
  end
  local job = redis.call('HMGET', job_key(id), 'mlq_start', 'mlq_attempt')
  local start = number_or(job[1])
  return not job[2] and start > now() and start or nil, Target.POSTPONE
end

local function is_renewed(id, attempt, lease)
  return lease ~= '' and redis.call('ZSCORE', 'mlq:leases', attempt_member(id, attempt)) ~= lease
end

-- Give a job, which its old class no longer lists, another signed text; return its class.
local function change_text(id, text)
  local key = job_key(id)
  local old = redis.call('HGET', key, 'mlq_spec')
  use_template(text.template, args.templates) -- before the old one is released: both may be the same
  disuse_template(old)
  redis.call('HSET', key, 'origin', text.class, 'mlq_spec', text.spec, unpack(text.fields))
  if #text.clear > 0 then
    redis.call('HDEL', key, unpack(text.clear))
  end
  redis.call('SADD', 'rq:queues', list_key(text.class))
  return text.class
end

local moved, stale, refused = {}, {}, {}
local function make(move)
  local key = job_key(move.id)
  local job = redis.call('HMGET', key, 'status', 'mlq_attempt', 'origin', 'mlq_stop',
    'mlq_signature', 'mlq_machine')
  local right = false
  for _, state in ipairs(move.from) do
    right = right or job[1] == state
  end
  -- A move with an attempt means the running one; a move without means a job that does not run.
  local running = job[1] == State.STARTED and tonumber(job[2]) or 0
  right = right and running == move.attempt
  right = right and (move.signature == '' or move.signature == job[5])
    and (move.machine == '' or move.machine == job[6])
    and (move.having == '' or redis.call('HEXISTS', key, move.having) == 1)
  if right and not is_renewed(move.id, move.attempt, move.lease) then
    -- A job without a class, which only a stranger can cause, must not block all others.
    local class = job[3] or ''
    leave(move.id, job[1], class)
    if move.class ~= '' then
      class = move.class
      redis.call('HSET', key, 'origin', class)
    end
    if move.text then
      class = change_text(move.id, move.text)
    end
    if #move.fields > 0 then
      redis.call('HSET', key, unpack(move.fields))
    end
    if #move.clear > 0 then
      redis.call('HDEL', key, unpack(move.clear))
    end
    if move.lost_on ~= '' then
      count_up(key, 'mlq_losses')
    end
    if move.avoid ~= '' then
      redis.call('HSET', key, 'mlq_avoid', move.avoid)
    end
    if #move.result > 0 then
      redis.call('XADD', 'rq:results:' .. move.id, 'MAXLEN', 10, '*', unpack(move.result))
    end
    if move.start ~= '' then
      note_start(move.id, redis.call('HGET', key, 'mlq_machine') or '', move.start)
    end
    if move.learned ~= '' then
      note_past(redis.call('HGET', key, 'mlq_needs'), move.learned)
    end
    local start, later = start_of(move.id, job[1], move.to)
    local to, why, pending = later, {}, {}
    if not start or job[1] == State.STARTED and job[4] then
      to, why, pending = destination(move.id, job[1], move.to, job[4])
    end
    if #why > 0 then
      redis.call('HSET', key, unpack(why))
    end
    wait_for(move.id, pending)
    if to == State.QUEUED then
      redis.call('HSET', key, 'enqueued_at', args.at) -- it waits from now on
      if redis.call('HEXISTS', key, 'mlq_avoid') == 1 then
        redis.call('HSET', key, 'mlq_avoid_until', now() + args.avoid_s)
      end
    end
    enter(move.id, to, class, false, to == State.SCHEDULED and (start or now() + move.pause_s))
    if ENDED[job[1]] and not ENDED[to] then
      has_come_back(move.id)
    end
    if ENDED[to] then
      redis.call('HSETNX', key, 'ended_at', args.at)
      has_ended(move.id, to)
      note_end(move.id, to)
    end
    moved[#moved + 1] = move.id
  else
    stale[#stale + 1] = move.id
  end
end

for _, move in ipairs(args.moves) do
  local made, fault = pcall(make, move)
  if not made then
    local why = type(fault) == 'table' and fault.err or tostring(fault)
    refused[#refused + 1] = { move.id, move.attempt, why }
  end
end
local untold = tell_dependents(args.at)
return reply({ moved = moved, stale = stale, refused = refused, untold = untold, revived = revived })
