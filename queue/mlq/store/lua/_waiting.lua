-- The lists of jobs that wait: rq's own lists, always in order of submission.
--
-- To find an id, or a place by its neighbour, the server walks a Redis list from one end. For many
-- jobs at once that is quadratic. So an operation only notes which ids leave and enter which list,
-- and each list is changed once, at the end. Places are found by binary search, since the list is
-- in order. Ids that leave are overwritten and dropped in one pass. Ids that enter are merged into
-- the part of the list between their place and the nearer end.

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

-- Merge entries into ids, both in order.
local function merged(ids, entries)
  local all, count, next_id = {}, 0, 1 -- counted: `#` looks for the end of a table each time
  local function id_at(at)
    return ids[at]
  end
  for _, entry in ipairs(entries) do
    local after = first_after(entry.order, next_id, #ids + 1, id_at)
    for at = next_id, after - 1 do
      count = count + 1
      all[count] = ids[at]
    end
    next_id = after
    if all[count] ~= entry.id then
      count = count + 1
      all[count] = entry.id
    end
  end
  for at = next_id, #ids do
    count = count + 1
    all[count] = ids[at]
  end
  return all
end

-- The ids at the places from `first` up to `last` (exclusive).
local function range(key, first, last)
  return last > first and redis.call('LRANGE', key, first, last - 1) or {}
end

-- Insert entries that belong before the end, by rewriting the list up to, or from, their places.
local function insert_before_end(key, entries, length)
  local function id_at(at)
    return redis.call('LINDEX', key, at)
  end
  local function after(entry)
    return first_after(entry.order, 0, length, id_at)
  end
  if #entries == 1 then
    local at = after(entries[1])
    if at == 0 or id_at(at - 1) ~= entries[1].id then
      redis.call('LINSERT', key, 'BEFORE', id_at(at), entries[1].id)
    end
    return
  end
  -- Include the place before: the job may be there already.
  local function from_of(entry)
    return math.max(0, after(entry) - 1)
  end
  local front, back = {}, {}
  local half = order_of(id_at(middle(0, length)))
  for _, entry in ipairs(entries) do
    table.insert(entry.order < half and front or back, entry)
  end
  -- Only the part between the first and the last of their places is merged; what lies beyond it is
  -- read and written as it is.
  if #back > 0 then
    local from, upto = from_of(back[1]), after(back[#back])
    local all = merged(range(key, from, upto), back)
    local rest = range(key, upto, length)
    if from == 0 then
      redis.call('DEL', key)
    else
      redis.call('LTRIM', key, 0, from - 1)
    end
    push('RPUSH', key, all, 1, #all, 1)
    push('RPUSH', key, rest, 1, #rest, 1)
  end
  if #front > 0 then
    local from, upto = from_of(front[1]), after(front[#front])
    local all = merged(range(key, from, upto), front)
    local rest = range(key, 0, from)
    redis.call('LTRIM', key, upto, -1)
    push('LPUSH', key, all, #all, 1, -1)
    push('LPUSH', key, rest, #rest, 1, -1)
  end
end

-- Jobs that plain rq appended without a place in line get one: just before `place`, where new jobs
-- will be, or last. Ids of jobs that are gone are dropped.
local function place_end(key, place)
  local at = -1
  local id = redis.call('LINDEX', key, at)
  while id and not string.match(id, '^%d+_?%d*$')
    and redis.call('HEXISTS', job_key(id), 'mlq_order') == 0 do
    if order_of(id, place) > 0 then
      at = at - 1
    elseif at == -1 then
      redis.call('RPOP', key)
    else
      return
    end
    id = redis.call('LINDEX', key, at)
  end
end

local function insert_all(key, ids)
  local entries = {}
  for _, id in ipairs(ids) do
    entries[#entries + 1] = { id = id, order = order_of(id) }
  end
  table.sort(entries, function(one, other)
    return one.order < other.order
  end)
  place_end(key, entering_is_new and entries[1].order - 0.5 or nil)
  local last = redis.call('LINDEX', key, -1)
  local last_order = last and order_of(last) or -1
  local early, late = {}, {}
  for _, entry in ipairs(entries) do
    if entry.id ~= last and entry.order >= last_order then
      late[#late + 1] = entry.id
    elseif entry.id ~= last then
      early[#early + 1] = entry
    end
  end
  if #early > 0 then
    insert_before_end(key, early, redis.call('LLEN', key))
  end
  push('RPUSH', key, late, 1, #late, 1)
end

function settle_lists()
  for class, change in pairs(changes) do
    local key = list_key(class)
    remove_all(key, noted(change, 'leaves'))
    local ids = noted(change, 'enters')
    if #ids > 0 then
      insert_all(key, ids)
      redis.call('SADD', 'rq:queues', key)
    end
  end
  changes, entering_is_new = {}, false
end
