-- sift(index, wanted, starts, has, ends, from, skip, limit) -> {found, next?}
--   index   mlq:jobs or mlq:unended
--   wanted  {state: true}, `held` among them, or empty: any
--   starts, has, ends   what the name must begin with, hold in this order, and end with; all empty:
--           any name will do
--   from, skip, limit   which part of the index: from this score on, without the first ones, so many
--   found   [[id, name]] in order of submission
--   next    {from, skip} of the next part; left out if this was the last
-- Finds jobs among many without sending all of them to the client that asks. It only sifts: the caller
-- decides what a glob means beyond its literal parts. A job of a sweep that was replaced is left out.
-- Read-only.
local function is_wanted(state, held)
  if not next(args.wanted) then
    return true
  end
  return args.wanted[state] or (held and args.wanted.held)
end

local function may_be(name)
  if string.sub(name, 1, #args.starts) ~= args.starts then
    return false
  end
  local from = #args.starts + 1
  for _, part in ipairs(args.has) do
    local _, last = string.find(name, part, from, true)
    if not last then
      return false
    end
    from = last + 1
  end
  return #name - #args.ends + 1 >= from
    and string.sub(name, #name - #args.ends + 1) == args.ends
end

local ids = redis.call('ZRANGEBYSCORE', args.index, args.from, '+inf', 'WITHSCORES',
  'LIMIT', args.skip, args.limit)
local found = {}
for at = 1, #ids, 2 do
  local job = redis.call('HMGET', job_key(ids[at]), 'status', 'mlq_name', 'mlq_held')
  local number, index = sweep_of(ids[at])
  local stands = not number or not is_replaced(number, index)
  if job[1] and stands and is_wanted(job[1], job[3]) and may_be(job[2] or '') then
    found[#found + 1] = { ids[at], job[2] or '' }
  end
end
local following
if #ids == 2 * args.limit then
  -- Several jobs may have the same place in line.
  local last, same = ids[#ids], 0
  for at = #ids, 2, -2 do
    if ids[at] ~= last then
      break
    end
    same = same + 1
  end
  following = { from = last, skip = last == args.from and args.skip + same or same }
end
return cjson.encode({ found = found, next = following })
