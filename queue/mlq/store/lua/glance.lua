-- glance(fields, since, ended, most) -> {whole, counts, ended_since, rows, sweeps, paused}
--   fields       names of the hash fields wanted, `status` first
--   since        unix time: what ended earlier does not count
--   ended        how many rows of those that ended last, if not all are given
--   most         how many rows at most of those that have not ended, of those that have, and of those
--                that run; and among how many deferred ones held are counted
--   whole        whether `rows` has all jobs of no sweep that have not ended, or since then
--   counts       if not: how many jobs are in each state but the ended ones, members of sweeps too;
--                and how many are `held`, which `deferred` counts, too
--   ended_since  how many ended since then, without members
--   rows         [[id, value, ...]] of jobs of no sweep: the first that have not ended, those that run,
--                and those that ended last
--   sweeps       [{number, name, at, held, members, counts, max_running, max_fails, took, took_s,
--                  varying, ended, search}]: see look_sweeps.lua; of those with members that
--                have not ended, or since then
--   paused       why the user has paused the queue; '' if it is not paused
-- It costs the same however many jobs wait, and however many members a sweep has.
-- Read-only.
local SCANNED, CHUNK_OF_IDS = 10000, 200
local rows, sweeps, unended = {}, {}, {}

-- The jobs of no sweep in order: where a sweep begins, the search goes on after it.
local function add_unended()
  local from, skip, count = '-inf', 0, 0
  while true do
    local ids = redis.call('ZRANGEBYSCORE', 'mlq:unended', from, '+inf', 'LIMIT', skip, CHUNK_OF_IDS)
    local jump
    for _, id in ipairs(ids) do
      jump = sweep_of(id)
      if jump then
        break
      elseif count == args.most then
        return false
      end
      count = count + 1
      add_row(rows, id, args.fields)
    end
    if jump then
      unended[jump] = true
      from, skip = '(' .. jump .. '.4999995', 0
    elseif #ids < CHUNK_OF_IDS then
      return true
    else
      skip = skip + #ids
    end
  end
end

local function add_ended(wanted)
  local left, scanned = wanted, 0
  while left > 0 and scanned < SCANNED do
    local ids = redis.call('ZREVRANGEBYSCORE', 'mlq:ended', '+inf', args.since,
      'LIMIT', scanned, CHUNK_OF_IDS)
    for _, id in ipairs(ids) do
      if left > 0 and not sweep_of(id) then
        left = left - 1
        add_row(rows, id, args.fields)
      end
    end
    scanned = #ids < CHUNK_OF_IDS and SCANNED or scanned + #ids
  end
end

local counts = { held = 0 }
local function count(state, more)
  counts[state] = (counts[state] or 0) + more
end

local function count_all()
  for _, state in ipairs({ State.QUEUED, State.SCHEDULED, State.DEFERRED }) do
    count(state, 0)
  end
  count(State.STARTED, redis.call('ZCARD', 'mlq:leases'))
  local left = args.most
  for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
    local class = class_of(key)
    count(State.QUEUED, redis.call('LLEN', key))
    count(State.SCHEDULED, redis.call('ZCARD', registry_key(State.SCHEDULED, class)))
    local waiting = registry_key(State.DEFERRED, class)
    count(State.DEFERRED, redis.call('ZCARD', waiting))
    for _, id in ipairs(left > 0 and redis.call('ZRANGE', waiting, 0, left - 1) or {}) do
      left = left - 1
      count('held', redis.call('HEXISTS', job_key(id), 'mlq_held'))
    end
  end
end

local function add_running()
  for _, member in ipairs(redis.call('ZRANGE', 'mlq:leases', 0, args.most - 1)) do
    local id = string.match(member, '^(.*):[^:]*$') or member
    if not sweep_of(id) then
      add_row(rows, id, args.fields)
    end
  end
end

local ended_since = redis.call('ZCOUNT', 'mlq:ended', args.since, '+inf')
  - redis.call('ZCOUNT', 'mlq:ended_members', args.since, '+inf')
local whole = add_unended()
if not whole or ended_since > args.most then
  whole = false
  count_all()
  add_running()
  add_ended(math.min(args.ended, ended_since))
else
  add_ended(ended_since)
end
for _, number in ipairs(redis.call('HVALS', 'mlq:sweeps')) do
  unended[number] = unended[number] or false
end
for number, is_unended in pairs(unended) do
  local info = sweep_info(number)
  if info and (is_unended or info.ended >= args.since) then
    sweeps[#sweeps + 1] = info
  end
end
return cjson.encode({
  whole = whole, counts = counts, rows = rows, ended_since = ended_since, sweeps = sweeps,
  paused = redis.call('GET', 'mlq:paused') or '',
})
