-- Shared by every operation; the loader puts this file in front of each of them.
--
-- Calling convention of every operation:
--   ARGV[1]  request id. A second call with the same id changes nothing and gives the first reply,
--            because redis-py sends a command again when the connection breaks. '' if read-only.
--   ARGV[2]  the named arguments, one JSON object. With `queue_id` among them, the operation is
--            meant for that queue only: if the data here are another queue's, or no queue's, nothing
--            is done and the reply is the error OTHERQUEUE and the id that was found.
--            With `held_by` among them, a record of a worker as in hold_name.lua, it is done only as
--            long as no other worker holds that machine's name; otherwise the reply is the error
--            OTHERWORKER and who does. That it was sent keeps the name for the worker.
--   reply    one JSON text.
--
-- rq's keys:   rq:queues  rq:queue:<class>  rq:job:<id>  rq:<registry>:<class>
--              rq:wip:<class>  rq:execution:<id>:<attempt>  rq:executions:<id>
--              rq:job:<id>:dependents  rq:job::<id>:dependencies  rq:results:<id>
-- Our own:     mlq:queue_id           which queue this is
--              mlq:root               the results root that the queue was given, as its first worker
--                                     called it
--              mlq:deleted            zset of ids that rq's tools deleted, by when that was noticed
--              mlq:last_number        the last job number given out
--              mlq:jobs               zset of all job ids, by order of submission
--              mlq:unended            those of them that have not ended
--              mlq:ended              zset of ended job ids, by time of end
--              mlq:name:<name>        set of the ids of the jobs of this name
--              mlq:leases             zset of <id>:<attempt>, by expiry on this server's clock
--              mlq:held:<machine>     set of <id>:<attempt> that this machine runs
--              mlq:starts:<word>      the last starts of a command: '<machine> good|bad <id>'; expires
--              mlq:last_starts        machine -> how its last start was
--              mlq:hold:<word>        why jobs of a command up to some number are held; expires
--              mlq:machines           zset of machines, by time last seen
--              mlq:machine:<machine>  what a machine last said of itself, JSON
--              mlq:holder:<machine>   hash: the one worker that has this machine's name; its `worker`
--                                     is '' if it left
--              mlq:sightings          what the reaper saw on NFS of silent machines, JSON; expires
--              mlq:reservations       hash: id of a starving job -> "<machine> <expiry>"
--              mlq:reply:<request id> cached replies; expire
--              mlq:reaper             the machine that has the reaper's role; expires
--              mlq:restoring          while the queue is made anew from the results root, JSON: how far
--              mlq:restoring:renumbered   hash: old id -> new id of what was enqueued meanwhile
--              mlq:restored           it was made anew just now: nothing is given out yet; expires
--              mlq:copier             the machine that keeps the copy on the results root; expires
--              mlq:wake               channel: 'work' (a job waits) or 'stop' (one is to be stopped)

local REPLY_TTL_S = 600
local request_id = ARGV[1]
local args = cjson.decode(ARGV[2])

if args.queue_id then
  local found = redis.call('GET', 'mlq:queue_id')
  if found ~= args.queue_id then
    return { err = 'OTHERQUEUE ' .. (found or '') }
  end
end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local NAME_TTL_S = 30 * 86400

local function name_key(machine)
  return 'mlq:holder:' .. machine
end

local function as_table(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  found.age_s = found.renewed and now() - tonumber(found.renewed)
  found.since = tonumber(found.since)
  return found
end

local function write_name(record)
  local key = name_key(record.machine)
  for field, value in pairs(record) do
    redis.call('HSET', key, field, value)
  end
  redis.call('HSET', key, 'since', now(), 'renewed', string.format('%.6f', now()))
  redis.call('EXPIRE', key, NAME_TTL_S)
end

-- Another worker that holds this one's name; nil if there is none. Then it is kept for this one.
local other_holder
if args.held_by then
  local key = name_key(args.held_by.machine)
  local worker = redis.call('HGET', key, 'worker')
  if not worker or worker == '' then
    write_name(args.held_by)
  elseif worker == args.held_by.worker then
    redis.call('HSET', key, 'renewed', string.format('%.6f', now()))
    redis.call('EXPIRE', key, NAME_TTL_S)
  else
    other_holder = as_table(redis.call('HGETALL', key))
    if not args.tells_holder then
      return { err = 'OTHERWORKER ' .. cjson.encode(other_holder) }
    end
  end
end

-- Kept longer each time it is asked for. So this is always a write, and a client that waits until
-- its writes are on disk waits for what it did before its connection broke, too.
local function cached_reply()
  return request_id ~= '' and redis.call('GETEX', 'mlq:reply:' .. request_id, 'EX', REPLY_TTL_S)
end

-- What the workers are told at the end of the operation, if anything.
local wake

local function reply(value)
  local text = cjson.encode(value)
  if wake then
    redis.call('PUBLISH', 'mlq:wake', wake)
  end
  if request_id ~= '' then
    redis.call('SET', 'mlq:reply:' .. request_id, text, 'EX', REPLY_TTL_S)
  end
  return text
end

local function job_key(id)
  return 'rq:job:' .. id
end

-- The last job number given out. It may have been put back, or be none at all; but no number up to
-- that of a job that exists is ever given out again. Larger ones than this are nobody's.
local LARGEST_NUMBER = 999999999999
local function last_number()
  local text = redis.call('GET', 'mlq:last_number') or ''
  local last = #text <= 12 and string.match(text, '^%d+$') and tonumber(text) or 0
  for _, id in ipairs(redis.call('ZREVRANGEBYSCORE', 'mlq:jobs', '(1000000000000', '-inf', 'LIMIT', 0, 20)) do
    local number = string.match(id, '^(%d+)_?%d*$')
    if number and #number <= 12 and redis.call('EXISTS', job_key(id)) == 1 then
      return math.max(last, tonumber(number))
    end
  end
  return last
end

local function set_last_number(number)
  redis.call('SET', 'mlq:last_number', string.format('%.0f', number))
end

-- Order of submission as one number: 1042 -> 1042, 1042_7 -> 1042.000007. A job that was enqueued
-- by plain rq has no number: it takes its place in line when it is first seen, at `place` or last.
local function order_of(id, place)
  local number, member = string.match(id, '^(%d+)_?(%d*)$')
  if number then
    return tonumber(number) + (tonumber(member) or 0) / 1e6
  end
  local order = redis.call('HGET', job_key(id), 'mlq_order')
  if not order then
    if redis.call('EXISTS', job_key(id)) == 0 then
      return 0
    end
    order = place or last_number() + 0.5
    redis.call('HSET', job_key(id), 'mlq_order', order)
    redis.call('ZADD', 'mlq:jobs', order, id)
    redis.call('ZADD', 'mlq:unended', order, id)
  end
  return tonumber(order) or 0
end

local function priority_of(class)
  return tonumber(string.match(class, '^p(-?%d+)%.')) or 0
end

-- A waiting list is always in order of submission; a requeued job gets its place back. A job that
-- plain rq put there before a new one (`fresh`) is before it, too.
local function insert_in_order(class, id, fresh)
  local key = 'rq:queue:' .. class
  local order = order_of(id)
  local last = redis.call('LINDEX', key, -1)
  if not last or order_of(last, fresh and order - 0.5) < order then
    redis.call('RPUSH', key, id)
    return
  end
  local start = 0
  while true do
    local chunk = redis.call('LRANGE', key, start, start + 127)
    for _, other in ipairs(chunk) do
      if other == id then
        return
      end
      if order_of(other) > order then
        redis.call('LINSERT', key, 'BEFORE', other, id)
        return
      end
    end
    start = start + 128
    if #chunk < 128 then
      redis.call('RPUSH', key, id)
      return
    end
  end
end

-- Count a field of a job up. A number that somebody spoilt counts as 0: it must not keep all jobs
-- behind it waiting for ever.
local function count_up(key, field)
  local value = redis.call('HGET', key, field)
  if value and not string.match(value, '^%d+$') or #(value or '') > 9 then
    redis.call('HDEL', key, field)
  end
  return redis.call('HINCRBY', key, field, 1)
end

local function attempt_member(id, attempt)
  return id .. ':' .. attempt
end

local DELETED_TTL_S = 30 * 86400

-- Whether a running attempt's job is no job any more. If rq's tools deleted it, which know nothing
-- of leases, its id still stands in mlq:jobs, and is noted. Whoever meets such an attempt drops it
-- where it stands; its machine ends it with its next renewal.
local function is_gone(id)
  if redis.call('EXISTS', job_key(id)) == 1 then
    return false
  end
  if redis.call('ZREM', 'mlq:jobs', id) == 1 then
    redis.call('ZREM', 'mlq:unended', id)
    redis.call('ZADD', 'mlq:deleted', now(), id)
    redis.call('ZREMRANGEBYSCORE', 'mlq:deleted', '-inf', now() - DELETED_TTL_S)
  end
  return true
end

-- Whether a job was deleted on purpose. Of one that is merely unknown the queue knows nothing: its
-- data may be older than the job.
local function was_deleted(id)
  return is_gone(id) and redis.call('ZSCORE', 'mlq:deleted', id)
end

-- The word of a job's command (mlq.needs), or nil.
local function command_of(needs)
  return string.match(needs or '', 's%x+')
end

-- Remember how a job started on a machine, 'good' or 'bad': the last 20 starts of its command, and
-- the machine's last one.
local function note_start(id, machine, how)
  local word = command_of(redis.call('HGET', job_key(id), 'mlq_needs'))
  if not word then
    return
  end
  local key, entry = 'mlq:starts:' .. word, machine .. ' ' .. how .. ' '
  -- Thousands of short jobs that all start well are told from one alone by nobody.
  local newest = how == 'good' and redis.call('LINDEX', key, 0) or ''
  if string.sub(newest or '', 1, #entry) ~= entry then
    redis.call('LPUSH', key, entry .. id)
    redis.call('LTRIM', key, 0, 19)
    redis.call('HSET', 'mlq:last_starts', machine, how)
  end
  redis.call('EXPIRE', key, 86400)
end

-- Take a job out of wherever its state keeps it.
local function leave(id, state, class)
  if state == 'queued' then
    redis.call('LREM', 'rq:queue:' .. class, 1, id)
    redis.call('HDEL', 'mlq:reservations', id)
  elseif state == 'started' then
    local job = redis.call('HMGET', job_key(id), 'mlq_attempt', 'mlq_machine')
    local member = attempt_member(id, job[1] or '0')
    redis.call('ZREM', 'rq:wip:' .. class, member)
    redis.call('DEL', 'rq:execution:' .. member, 'rq:executions:' .. id)
    redis.call('ZREM', 'mlq:leases', member)
    redis.call('SREM', 'mlq:held:' .. (job[2] or ''), member)
  else
    redis.call('ZREM', 'rq:' .. state .. ':' .. class, id)
    redis.call('ZREM', 'mlq:ended', id)
    if state == 'deferred' then
      -- If it ever waits again, then for what has not ended by then.
      redis.call('DEL', 'rq:job::' .. id .. ':dependencies')
      redis.call('HDEL', job_key(id), 'mlq_held')
    end
  end
end

-- Put a job where its new state keeps it. Score +inf: rq's clean-up lets it be; but for one that is
-- to be queued later, whose score is when it is due, as in rq. The state itself comes last: if
-- anything before it fails, the same move may be made again.
local function enter(id, state, class, fresh, due)
  if state == 'queued' then
    insert_in_order(class, id, fresh)
    redis.call('SADD', 'rq:queues', 'rq:queue:' .. class)
    wake = 'work'
  elseif state ~= 'started' then
    redis.call('ZADD', 'rq:' .. state .. ':' .. class, due or '+inf', id)
  end
  if state == 'finished' or state == 'failed' or state == 'canceled' then
    redis.call('ZADD', 'mlq:ended', now(), id)
    redis.call('ZREM', 'mlq:unended', id)
  elseif state ~= 'started' then
    redis.call('ZADD', 'mlq:unended', order_of(id), id)
  end
  redis.call('HSET', job_key(id), 'status', state)
end

-- Let an attempt of a job run on a machine: it holds a lease from now on, and the machine holds it.
--   who  {machine, worker, boot_id, supervisor_id, at, at_unix}
local function hold_attempt(id, class, attempt, who, lease_ends)
  local key, member = job_key(id), attempt_member(id, attempt)
  redis.call('HSET', key, 'last_heartbeat', who.at, 'worker_name', who.worker,
    'mlq_attempt', attempt, 'mlq_machine', who.machine, 'mlq_boot_id', who.boot_id,
    'mlq_supervisor_id', who.supervisor_id)
  redis.call('PERSIST', key)
  redis.call('HSET', 'rq:execution:' .. member, 'id', attempt, 'created_at', who.at_unix,
    'last_heartbeat', who.at_unix, 'worker_name', who.worker)
  redis.call('ZADD', 'rq:executions:' .. id, '+inf', attempt)
  redis.call('ZADD', 'rq:wip:' .. class, '+inf', member)
  redis.call('ZADD', 'mlq:leases', lease_ends, member)
  redis.call('SADD', 'mlq:held:' .. who.machine, member)
end

-- Let a job wait until each of these has told it that it ended.
local function wait_for(id, parents)
  for _, parent in ipairs(parents) do
    redis.call('SADD', job_key(parent) .. ':dependents', id)
    redis.call('SADD', 'rq:job::' .. id .. ':dependencies', parent)
  end
end

-- Tell the jobs that wait for this one that it has ended. `states` names what may follow:
-- good (the state that counts as a good end), waiting, ready, refused. Children of a refused child
-- are told in turn.
local function tell_dependents(id, state, states, at)
  local ended = { { id, state } }
  while #ended > 0 do
    local parent, parent_state = unpack(table.remove(ended))
    for _, child in ipairs(redis.call('SMEMBERS', job_key(parent) .. ':dependents')) do
      local seen = redis.call('HMGET', job_key(child), 'status', 'origin', 'allow_dependency_failures')
      if seen[1] == states.waiting then
        local pending = 'rq:job::' .. child .. ':dependencies'
        if parent_state == states.good or seen[3] == '1' then
          redis.call('SREM', pending, parent)
          if redis.call('SCARD', pending) == 0 then
            leave(child, states.waiting, seen[2])
            redis.call('HSET', job_key(child), 'enqueued_at', at)
            enter(child, states.ready, seen[2])
          end
        else
          leave(child, states.waiting, seen[2])
          redis.call('DEL', pending)
          redis.call('HSET', job_key(child), 'ended_at', at,
            'mlq_reason', 'parent ' .. parent .. ' ' .. parent_state)
          enter(child, states.refused, seen[2])
          ended[#ended + 1] = { child, states.refused }
        end
      end
    end
    redis.call('DEL', job_key(parent) .. ':dependents')
  end
end
