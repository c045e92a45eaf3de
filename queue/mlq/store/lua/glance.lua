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
local counts = { queued = 0, deferred = 0, scheduled = 0, held = 0 }
local left = args.most
for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  local class = string.sub(key, #'rq:queue:' + 1)
  counts.queued = counts.queued + redis.call('LLEN', key)
  counts.scheduled = counts.scheduled + redis.call('ZCARD', 'rq:scheduled:' .. class)
  local deferred = 'rq:deferred:' .. class
  counts.deferred = counts.deferred + redis.call('ZCARD', deferred)
  for _, id in ipairs(left > 0 and redis.call('ZRANGE', deferred, 0, left - 1) or {}) do
    left = left - 1
    counts.held = counts.held + redis.call('HEXISTS', job_key(id), 'mlq_held')
  end
end
counts.started = redis.call('ZCARD', 'mlq:leases')

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
