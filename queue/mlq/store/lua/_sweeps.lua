-- Sweeps: which job each member has, in which states they are, and when a sweep gives nothing out.
--
-- A sweep is a set with a name. Its jobs are <number>_<index>; a member that is run anew gets a new
-- job, under the next free index, and the one before is replaced: it no longer stands for the member.
-- An array is a sweep whose members have their task numbers as indices; a member that is run anew gets
-- an index from ARRAY_AGAIN on.
--
--   mlq:sweeps                  hash: name -> number of the latest sweep of that name; and for each
--                               earlier one of that name NUL and its number -> its number
--   mlq:sweep:<number>          hash: name, at, array (1 if it is one), next (free index), max_running, max_fails, held (why),
--                               failing (if that is why), fails and good (ends since it was enqueued last), took and took_s (how
--                               many members finished, and their seconds), ended (when one did last),
--                               varying (JSON), search (JSON, of a search: see `mlq.search.note`)
--   mlq:members:<number>        hash: member's key -> index of its job
--   mlq:sweep:<number>:<state>  bitmap by index: the jobs of that state that stand for a member; `held`
--                               are among the deferred ones
--   mlq:sweep:<number>:replaced bitmap by index
--   mlq:ended_members           those of mlq:ended that are members of sweeps
--
-- A bitmap is counted in no time, and setting a bit twice is no harm.
local MEMBERS_AT_MOST = 500000 -- then 1042_499999 is before what came by plain rq at 1042.5
local ARRAY_AGAIN = 250000 -- mlq.sweeps.array
local MAX_FAILS = 5

local function sweep_key(number)
  return 'mlq:sweep:' .. number
end

local function bits_key(number, state)
  return 'mlq:sweep:' .. number .. ':' .. state
end

local function members_key(number)
  return 'mlq:members:' .. number
end

-- List a sweep. Its name means it from now on, unless there is a later one of that name.
local function list_sweep(name, number)
  local other = redis.call('HGET', 'mlq:sweeps', name)
  if other and other ~= number and redis.call('EXISTS', sweep_key(other)) == 1 then
    local earlier = tonumber(other) < tonumber(number) and other or number
    redis.call('HSET', 'mlq:sweeps', '\0' .. earlier, earlier)
    if earlier == number then
      return
    end
  end
  redis.call('HSET', 'mlq:sweeps', name, number)
end

local known_sweeps = {}

-- Number and index of a job of a sweep; nil for any other job. Plain rq may bring any id.
local function sweep_of(id)
  local number, index = string.match(id, '^([1-9]%d*)_(%d+)$')
  if not number or #number > 12 or tonumber(index) >= MEMBERS_AT_MOST then
    return nil
  end
  if known_sweeps[number] == nil then
    known_sweeps[number] = redis.call('EXISTS', sweep_key(number)) == 1
  end
  if known_sweeps[number] then
    return number, index
  end
end

local function is_replaced(number, index)
  return redis.call('GETBIT', bits_key(number, 'replaced'), index) == 1
end

-- Note that a job is in a state. A replaced job stands for no member, but it may still run.
local function note_state(id, state)
  local number, index = sweep_of(id)
  if not number then
    return
  end
  if ENDED[state] then
    redis.call('ZADD', 'mlq:ended_members', now(), id)
    redis.call('HSET', sweep_key(number), 'ended', now())
  end
  if state ~= State.STARTED and is_replaced(number, index) then
    return
  end
  redis.call('SETBIT', bits_key(number, state), index, 1)
  if state == State.DEFERRED and redis.call('HEXISTS', job_key(id), 'mlq_held') == 1 then
    redis.call('SETBIT', bits_key(number, 'held'), index, 1)
  end
end

local function unnote_state(id, state)
  local number, index = sweep_of(id)
  if not number or not REGISTRY[state] then
    return
  end
  if ENDED[state] then
    redis.call('ZREM', 'mlq:ended_members', id)
  end
  redis.call('SETBIT', bits_key(number, state), index, 0)
  if state == State.DEFERRED then
    redis.call('SETBIT', bits_key(number, 'held'), index, 0)
  end
end

-- Stop letting a job stand for its member.
local function replace_member(number, index)
  redis.call('SETBIT', bits_key(number, 'replaced'), index, 1)
  redis.call('SETBIT', bits_key(number, 'held'), index, 0)
  for state in pairs(REGISTRY) do
    redis.call('SETBIT', bits_key(number, state), index, 0)
  end
end

-- The scores of a sweep's jobs in mlq:jobs.
local function range_of(number)
  return number, '(' .. number .. '.5'
end

-- A job of a sweep was deleted that had ended in this state. A finished member stays known as done
-- as long as the queue lists any job of the sweep.
local function forget_member(id, state)
  local number, index = sweep_of(id)
  if not number then
    return
  end
  if redis.call('ZCOUNT', 'mlq:jobs', range_of(number)) == 0 then
    local name = redis.call('HGET', sweep_key(number), 'name')
    if name and redis.call('HGET', 'mlq:sweeps', name) == number then
      redis.call('HDEL', 'mlq:sweeps', name)
    end
    redis.call('HDEL', 'mlq:sweeps', '\0' .. number)
    redis.call('DEL', sweep_key(number), members_key(number), bits_key(number, 'held'),
      bits_key(number, 'replaced'))
    for one in pairs(REGISTRY) do
      redis.call('DEL', bits_key(number, one))
    end
    known_sweeps[number] = nil
  elseif state == State.FINISHED and not is_replaced(number, index) then
    redis.call('SETBIT', bits_key(number, State.FINISHED), index, 1)
  end
end

local function days_before(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month - 457) / 5) + day
end

-- Seconds of an ISO time, for comparison with another one; nil if it is not an ISO time.
local function seconds_of(text)
  local year, month, day, hour, minute, second =
    string.match(text or '', '^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d%.?%d*)')
  second = tonumber(second or '')
  return second and 86400 * days_before(tonumber(year), tonumber(month), tonumber(day))
    + 3600 * hour + 60 * minute + second
end

-- Note how a member ended. If the first ends of a sweep are all failures, the rest is held.
local function note_end(id, state)
  local number, index = sweep_of(id)
  if not number or is_replaced(number, index) then
    return
  end
  local key = sweep_key(number)
  local job = redis.call('HMGET', job_key(id), 'started_at', 'ended_at', 'mlq_reason')
  if state == State.FINISHED then
    redis.call('HSET', key, 'good', 1)
    local from, upto = seconds_of(job[1]), seconds_of(job[2])
    if from and upto and upto >= from then
      redis.call('HINCRBYFLOAT', key, 'took_s', string.format('%.3f', upto - from))
      redis.call('HINCRBY', key, 'took', 1)
    end
  elseif state == State.FAILED then
    local fails = count_up(key, 'fails')
    local sweep = redis.call('HMGET', key, 'good', 'max_fails', 'held')
    local most = number_or(sweep[2], MAX_FAILS)
    if not sweep[1] and not sweep[3] and most > 0 and fails >= most then
      redis.call('HSET', key, 'failing', 1, 'held', 'the first ' .. fails .. ' to end were failures, the last: '
        .. (job[3] or ''))
    end
  end
end

-- The number of the sweep whose members wait in a class; nil if it is no class of a sweep.
local function sweep_of_class(class)
  local rest = string.match(class, '^p%-?%d+%.c%d+%.m%d+%.g%d+%.v%d+(%..*)$') or ''
  return string.match(rest, '^%.s(%d+)') or string.match(rest, '^%.t[a-z0-9-]+%.s(%d+)')
end

-- Whether the sweep of a class may start no job now: it is held, or as many run as may at once.
local function is_blocked(class)
  local number = sweep_of_class(class)
  if not number then
    return false
  end
  local sweep = redis.call('HMGET', sweep_key(number), 'held', 'max_running')
  local most = number_or(sweep[2])
  return sweep[1] and true
    or most > 0 and redis.call('BITCOUNT', bits_key(number, State.STARTED)) >= most
end

-- The description of a sweep: see look_sweeps.lua. Nil if there is no sweep of this number.
local function sweep_info(number)
  local sweep = redis.call('HMGET', sweep_key(number), 'name', 'at', 'held', 'max_running',
    'max_fails', 'took', 'took_s', 'varying', 'ended', 'search')
  if not sweep[1] then
    return nil
  end
  local counts = { held = redis.call('BITCOUNT', bits_key(number, 'held')) }
  for state in pairs(REGISTRY) do
    counts[state] = redis.call('BITCOUNT', bits_key(number, state))
  end
  return {
    number = tonumber(number), name = sweep[1], at = sweep[2] or '', held = sweep[3] or '',
    members = redis.call('HLEN', members_key(number)), counts = counts,
    max_running = number_or(sweep[4]), max_fails = number_or(sweep[5], MAX_FAILS),
    took = number_or(sweep[6]), took_s = number_or(sweep[7]), varying = sweep[8] or '[]',
    ended = number_or(sweep[9]), search = sweep[10] or '',
  }
end
