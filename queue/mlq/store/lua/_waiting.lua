-- The lists of jobs that wait: rq's own lists, always in order of submission.
--
-- To find an id, or a place by its neighbour, the server walks a Redis list from one end. For many
-- jobs at once that is quadratic. So an operation only notes which ids leave and enter which list,
-- and each list is changed once, at the end. Places are found by binary search, since the list is
-- in order. Ids that leave are overwritten and dropped in one pass; how others enter is in
-- _into_line.lua.

local changes = {} -- class -> { ids, what = { id -> 'leaves' or 'enters' } }
local entering_is_new = false
local CHUNK = 1000 -- arguments of one command; Lua's own limit is near 8000
local PAGES = 4 -- of so many ids each

local function note(class, id, what)
  if not changes[class] then
    redis.call('LLEN', list_key(class)) -- a key that is not a list fails here, not at the end
    changes[class] = { ids = {}, what = {} }
  end
  local change = changes[class]
  if change.what[id] and change.what[id] ~= what then
    change.what[id] = nil -- an id that does both in one operation keeps its place
  else
    change.what[id] = what
    table.insert(change.ids, id)
  end
end

local function leave_list(class, id)
  note(class, id, 'leaves')
end

-- `new`: the job was submitted just now; jobs that plain rq appended earlier come before it.
local function enter_list(class, id, new)
  entering_is_new = entering_is_new or new
  note(class, id, 'enters')
end

-- The ids of a change that leave or enter, each once, in the order they were noted in.
local function noted(change, what)
  local found = {}
  for _, id in ipairs(change.ids) do
    if change.what[id] == what then
      found[#found + 1] = id
      change.what[id] = nil
    end
  end
  return found
end

local function middle(low, high)
  return math.floor((low + high) / 2)
end

-- The first of the places from `low` up to `high` (exclusive) where a job stands that comes after
-- `order`; `high` if there is none. `id_at` gives the id at a place. A job that is gone (0) has no
-- order: then the next one is used.
local function first_after(order, low, high, id_at)
  while low < high do
    local half = middle(low, high)
    local at, seen = half, 0
    while at < high and seen == 0 do
      seen = order_of(id_at(at))
      at = at + 1
    end
    if seen == 0 or seen > order then
      high = half
    else
      low = at
    end
  end
  return low
end

local function push(command, key, ids, first, last, step)
  local at = first
  while (last - at) * step >= 0 do
    local count = math.min(CHUNK, (last - at) * step + 1)
    if step == 1 then
      redis.call(command, key, unpack(ids, at, at + count - 1))
    else
      local chunk = {}
      for place = 1, count do
        chunk[place] = ids[at - place + 1]
      end
      redis.call(command, key, unpack(chunk))
    end
    at = at + count * step
  end
end

local function remove_all(key, ids)
  local marked, marks, expected = false, {}, 0
  local page, first = {}, 0
  local function id_at(at)
    return marks[at] or page[at - first + 1] or redis.call('LINDEX', key, at)
  end
  -- Ids that leave together are often close together: then the next pages are read, which takes a
  -- fraction of the time of a binary search for each.
  local function near(id, order)
    for _ = 1, PAGES do
      if expected < first or expected >= first + #page then
        page, first = redis.call('LRANGE', key, expected, expected + CHUNK - 1), expected
      end
      local beyond = first + #page
      local last = #page > 0 and order_of(page[#page]) or 0
      if last == 0 then
        return nil
      elseif last >= order then
        local at = first_after(order, expected, beyond, id_at) - 1
        return at >= expected and id_at(at) == id and at or nil
      end
      expected = beyond
    end
  end
  local function place_of(id)
    if id_at(expected) == id then
      return expected
    end
    local order = order_of(id)
    local close = near(id, order)
    if close then
      return close
    end
    local after = first_after(order, 0, redis.call('LLEN', key), id_at)
    if after > 0 and id_at(after - 1) == id then
      return after - 1
    end
    return redis.call('LPOS', key, id) -- jobs that came by plain rq may share an order
  end
  for _, id in ipairs(ids) do
    if not marked and redis.call('LINDEX', key, 0) == id then
      redis.call('LPOP', key)
      page = {}
    else
      local at = place_of(id)
      if at and not marks[at] then
        redis.call('LSET', key, at, '')
        marked, marks[at], expected = true, id, at + 1
      end
    end
  end
  if marked then
    redis.call('LREM', key, 0, '')
  end
end
