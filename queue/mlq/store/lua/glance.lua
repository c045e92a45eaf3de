-- glance(fields, since, ended, most) -> {counts, ended_since, rows}
--   fields       names of the hash fields wanted, `status` first
--   since        unix time: jobs that ended earlier do not count
--   ended        how many rows of those that ended last
--   most         how many rows of those that run, and among how many deferred ones held are counted
--   counts       how many jobs are in each state but the ended ones; and how many are `held`, which
--                `deferred` counts, too
--   ended_since  how many ended since then
--   rows         [[id, value, ...]]: of those that run, and of those that ended last
-- For a queue of which not all is shown: it costs the same however many jobs wait.
-- Read-only.
local counts = { held = 0 }
local function count(state, more)
  counts[state] = (counts[state] or 0) + more
end

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

local rows = {}
for _, member in ipairs(redis.call('ZRANGE', 'mlq:leases', 0, args.most - 1)) do
  add_row(rows, string.match(member, '^(.*):[^:]*$') or member, args.fields)
end
local last = redis.call('ZREVRANGEBYSCORE', 'mlq:ended', '+inf', args.since, 'LIMIT', 0, args.ended)
for _, id in ipairs(last) do
  add_row(rows, id, args.fields)
end
return cjson.encode({
  counts = counts, rows = rows,
  ended_since = redis.call('ZCOUNT', 'mlq:ended', args.since, '+inf'),
})
