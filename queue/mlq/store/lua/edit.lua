-- edit(edits, templates) -> {edited, stale}
--   edits      [{id, signature, class, template, spec, fields, clear}]
--                signature  of the job's text as the caller read it: if another text is there by now,
--                           or the job waits no longer, nothing is done
--                class      the class that it belongs to from now on
--                template   digest of what it has in common with others, or ''; spec: as it is stored
--                fields     flat list of hash fields to set; clear: names of fields to drop
--   templates  {digest: template}: see _templates.lua
--   edited     [id]; stale: [id]
-- The new text is signed by the caller. A job keeps its place in line.
local earlier = cached_reply()
if earlier then return earlier end

local edited, stale = {}, {}

local function swap(edit, state, class, old)
  local due = state == State.SCHEDULED and redis.call('ZSCORE', registry_key(state, class), edit.id)
  local moves = own_class(class) ~= edit.class
  if moves then
    if state == State.QUEUED then
      leave_list(class, edit.id)
      redis.call('HDEL', 'mlq:reservations', edit.id)
    else
      redis.call('ZREM', registry_key(state, class), edit.id)
      redis.call('ZADD', registry_key(state, edit.class), due or '+inf', edit.id)
      redis.call('SADD', 'rq:queues', list_key(edit.class))
    end
  end
  use_template(edit.template, args.templates) -- before the old one is released: both may be the same
  disuse_template(old)
  local key = job_key(edit.id)
  redis.call('HSET', key, 'origin', moves and edit.class or class, 'mlq_spec', edit.spec, unpack(edit.fields))
  if #edit.clear > 0 then
    redis.call('HDEL', key, unpack(edit.clear))
  end
  count_up(key, 'mlq_edits')
  if moves and state == State.QUEUED then
    enter_list(edit.class, edit.id)
    wake = 'work'
  end
end

for _, edit in ipairs(args.edits) do
  local job = redis.call('HMGET', job_key(edit.id), 'status', 'origin', 'mlq_spec', 'mlq_signature')
  local waits = job[1] == State.QUEUED or job[1] == State.DEFERRED or job[1] == State.SCHEDULED
  if waits and job[4] == edit.signature then
    swap(edit, job[1], job[2] or '', job[3])
    edited[#edited + 1] = edit.id
  else
    stale[#stale + 1] = edit.id
  end
end
return reply({ edited = edited, stale = stale })
