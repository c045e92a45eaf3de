-- look_members(number, keys) -> {members, next}
--   keys     of members
--   members  [[index, state, held, spec]] in the same order; index -1: the sweep has no such member;
--            state '' if its job is gone, and `finished` also of one that was forgotten after it had
--            finished; held: why it is held, or ''; spec: the digest of the job's template, or its
--            whole text if that has none, or ''
--   next     the next free index
-- Read-only.
local function standing(index)
  local id = args.number .. '_' .. index
  local job = redis.call('HMGET', job_key(id), 'status', 'mlq_held', 'mlq_spec')
  if not job[1] then
    local done = redis.call('GETBIT', bits_key(args.number, State.FINISHED), index) == 1
    return { tonumber(index), done and State.FINISHED or '', '', '' }
  end
  local spec = job[3] or ''
  return { tonumber(index), job[1], job[2] or '', string.match(spec, '^(%x+) %[') or spec }
end

local members = {}
local found = #args.keys > 0 and redis.call('HMGET', members_key(args.number), unpack(args.keys)) or {}
for at, index in ipairs(found) do
  members[at] = index and string.match(index, '^%d+$') and standing(index) or { -1, '', '', '' }
end
return cjson.encode({
  members = members,
  next = number_or(redis.call('HGET', sweep_key(args.number), 'next')),
})
