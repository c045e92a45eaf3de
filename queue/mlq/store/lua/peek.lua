-- peek() -> {heads, reservations}
--   heads         [{class, id, length, enqueued_at, order, timeout_s, needs}]: the first job of each non-empty class
--                 that may be claimed at all: none while the queue is paused, none of a sweep that is
--                 held or of which as many run as may
--   reservations  {id: machine}
-- Read-only but for two things: a job that came by plain rq gets its place in line, and its class,
-- if that was forgotten just then, is known again.
local RECENTLY_S = 600
recall_classes(now() - RECENTLY_S)
local heads = {}
local paused = redis.call('EXISTS', 'mlq:paused') == 1
for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  local id = not paused and redis.call('LINDEX', key, 0)
  if id and not is_blocked(class_of(key)) then
    local job = redis.call('HMGET', job_key(id), 'enqueued_at', 'timeout', 'mlq_needs')
    heads[#heads + 1] = {
      class = class_of(key),
      id = id,
      length = redis.call('LLEN', key),
      enqueued_at = job[1] or '',
      order = order_of(id),
      timeout_s = number_or(job[2], -1),
      needs = job[3] or '',
    }
  end
end
local at = now()
local reservations = {}
local all = redis.call('HGETALL', 'mlq:reservations')
for i = 1, #all, 2 do
  local machine, expiry = string.match(all[i + 1], '^(.*) (%S+)$')
  if number_or(expiry) >= at then
    reservations[all[i]] = machine
  end
end
return cjson.encode({ heads = heads, reservations = reservations })
