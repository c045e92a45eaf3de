-- Shared by every operation. The loader (scripts.py) puts in front of each of them the words of the
-- life cycle (State, Target, ENDED, REGISTRY), then this file, then _templates.lua (what jobs have in
-- common), _sweeps.lua (members of sweeps), _waiting.lua (the lists of jobs that wait), _into_line.lua
-- (how jobs get into these), _states.lua (where each state keeps its jobs), _singletons.lua (who
-- comes after all of its name), _dependents.lua (who waits for whom), _signals.lua (signals on their
-- way to jobs) and _new_jobs.lua.
--
-- Calling convention of every operation:
--   header   the comment at the top of a script says what it is sent and what it replies, as
--            signatures.py declares it; tests hold the calls, the replies and the headers together.
--            `?` marks what may be left out.
--   ARGV[1]  request id. A second call with the same id changes nothing and gives the first reply,
--            because redis-py sends a command again when the connection breaks. '' where
--            signatures.py says that the operation may be repeated.
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
--              mlq:template:<digest>  what jobs have in common; see _templates.lua
--              mlq:template_uses      digest -> how many jobs have it
--              mlq:last_number        the last job number given out
--              mlq:jobs               zset of all job ids, by order of submission
--              mlq:unended            those of them that have not ended
--              mlq:ended              zset of ended job ids, by time of end
--              mlq:name:<name>        set of the ids of the jobs of this name
--              mlq:leases             zset of <id>:<attempt>, by expiry on this server's clock
--              mlq:held:<machine>     set of <id>:<attempt> that this machine runs
--              mlq:starts:<word>      the last starts of a command: '<machine> good|bad <id>'; expires
--              mlq:past:<word>        what the last finished runs of a command used (mlq.jobs.past), the
--                                     newest first; expires
--              mlq:forgotten_classes  zset of keys of rq:queues that were empty and are in it no more,
--                                     by when that was; kept for a day
--              mlq:last_starts        machine -> how its last start was
--              mlq:hold:<word>        why jobs of a command up to some number are held; expires
--              mlq:machines           zset of machines, by time last seen
--              mlq:machine:<machine>  what a machine last said of itself, JSON
--              mlq:holder:<machine>   hash: the one worker that has this machine's name; its `worker`
--                                     is '' if it left
--              mlq:refused_names      hash: machine -> the last worker that was refused its name, JSON
--              mlq:sightings          what the reaper saw on NFS of silent machines, JSON; expires
--              mlq:reservations       hash: id of a starving job -> "<machine> <expiry>"
--              mlq:telling            list of "<id> <state>": jobs that ended, or that are run again
--                                     (`revived`), of which dependents are untold
--              mlq:untold:<id>:<state> set of these dependents
--              mlq:untold_sorted:<id>:<state>  zset of those of many that are sorted, to be told next
--              mlq:reply:<request id> cached replies; expire
--              mlq:reaper             the machine that has the reaper's role; expires
--              mlq:restoring          while the queue is made anew from the results root, JSON: how far
--              mlq:restoring:renumbered   hash: old id -> new id of what was enqueued meanwhile
--              mlq:restored           it was made anew just now: nothing is given out yet; expires
--              mlq:paused             why the user has paused the queue
--              mlq:sweeps  mlq:sweep:<number>  mlq:sweep:<number>:<state>  mlq:members:<number>
--              mlq:ended_members      see _sweeps.lua
--              mlq:pilots             hash: id of a pool of pilots -> the pool, JSON (mlq.pilots.pool)
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

-- A number stored in the queue, or `otherwise` (0 if left out). A client may have stored anything
-- there; an infinite value or NaN could not even be replied as JSON.
local function number_or(text, otherwise)
  local value = tonumber(text or '')
  return value and value > -1e15 and value < 1e15 and value or otherwise or 0
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
  found.age_s = found.renewed and now() - number_or(found.renewed)
  found.since = found.since and number_or(found.since)
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

-- Whether the recorded worker ran before this one on the same host: a restored backup may bring its
-- record back. The sender of `held_by` was given the name, so the recorded worker has ended.
local function is_predecessor(key, mine)
  local record = redis.call('HMGET', key, 'host_id', 'boot_id', 'pid_ns', 'pid_start')
  return record[1] == mine.host_id and (record[2] ~= mine.boot_id
    or (record[3] == mine.pid_ns and (tonumber(record[4]) or 0) < mine.pid_start))
end

-- Another worker that holds this one's name; nil if there is none: then the name is kept for this
-- one.
local other_holder
if args.held_by then
  local key = name_key(args.held_by.machine)
  local worker = redis.call('HGET', key, 'worker')
  if not worker or worker == '' or (worker ~= args.held_by.worker
    and is_predecessor(key, args.held_by)) then
    redis.call('DEL', key)
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

-- A cached reply is kept longer each time it is asked for. So this is always a write, and a client
-- that waits until its writes are on disk also waits for the writes it made before its connection
-- broke.
local function cached_reply()
  return request_id ~= '' and redis.call('GETEX', 'mlq:reply:' .. request_id, 'EX', REPLY_TTL_S)
end

-- The message to the workers at the end of the operation, if any.
local wake

-- Bring the waiting lists up to date with what the operation did (_waiting.lua).
local settle_lists

local function reply(value)
  settle_lists()
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

-- The key where a state keeps the jobs of a class; nil for a word that is not a state, since a
-- stranger may have written it.
local function registry_key(state, class)
  return REGISTRY[state] and REGISTRY[state] .. class
end

local LISTS = REGISTRY[State.QUEUED]

local function list_key(class)
  return LISTS .. class
end

-- The class of a key in rq:queues.
local function class_of(list)
  return string.sub(list, #LISTS + 1)
end

-- Plain rq enters a class in rq:queues first and its job into the list then, in a second
-- transaction. A class that was forgotten in between would hold a job that nobody sees. So those that
-- were forgotten since this time are known again as soon as their lists are not empty.
local function recall_classes(since)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', 'mlq:forgotten_classes', since, '+inf')) do
    if redis.call('EXISTS', key) == 1 then
      redis.call('SADD', 'rq:queues', key)
      redis.call('ZREM', 'mlq:forgotten_classes', key)
    end
  end
end

-- Add [id, value, ...] of a job to rows: '' for a field that is not set; nothing for an id that is
-- not a job. `fields` begin with `status`.
local function add_row(rows, id, fields)
  local row = redis.call('HMGET', job_key(id), unpack(fields))
  if row[1] then
    for i = 1, #fields do
      row[i] = row[i] or ''
    end
    table.insert(row, 1, id)
    rows[#rows + 1] = row
  end
end

-- The last job number given out. The stored number may have been put back, or may not be a number;
-- but no number up to that of an existing job is ever given out again. No job has a larger number
-- than this.
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
    return number_or(number, 999999999999999) + number_or(member) / 1e6
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
  return number_or(order)
end

local function priority_of(class)
  return number_or(string.match(class, '^p(-?%d+)%.'))
end

-- Increment a field of a job. A corrupt number counts as 0: it must not keep all jobs behind it
-- waiting for ever.
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

-- Note that a running attempt's job was deleted by rq's tools, which know nothing of leases: then its
-- id is still in mlq:jobs. Return whether the job is gone, for this or another reason. The script that
-- meets such an attempt drops it; its machine ends it with its next renewal.
local function note_if_gone(id)
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

-- Whether a job is recorded as deleted on purpose. A job that is merely unknown may still exist:
-- the queue's data may be older than the job.
local function was_deleted(id)
  return redis.call('EXISTS', job_key(id)) == 0 and redis.call('ZSCORE', 'mlq:deleted', id)
end

-- The word of a job's command (mlq.jobs.needs), or nil.
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
  -- Of good starts in a row on one machine only the first is kept: short jobs may have thousands.
  local newest = how == 'good' and redis.call('LINDEX', key, 0) or ''
  if string.sub(newest or '', 1, #entry) ~= entry then
    redis.call('LPUSH', key, entry .. id)
    redis.call('LTRIM', key, 0, 19)
    redis.call('HSET', 'mlq:last_starts', machine, how)
  end
  redis.call('EXPIRE', key, 86400)
end

local PAST, PAST_TTL_S = 500, 180 * 86400

-- Remember what a finished run of a command used: a line as in mlq.jobs.past. `older`: before all
-- that is remembered already.
local function note_past(needs, line, older)
  local word = command_of(needs)
  if not word then
    return
  end
  local key = 'mlq:past:' .. word
  if not older then
    redis.call('LPUSH', key, line)
    redis.call('LTRIM', key, 0, PAST - 1)
  elseif redis.call('LLEN', key) < PAST then
    redis.call('RPUSH', key, line)
  end
  redis.call('EXPIRE', key, PAST_TTL_S)
end
