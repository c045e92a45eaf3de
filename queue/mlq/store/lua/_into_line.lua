-- How jobs get into the lists of those that wait.
--
-- Ids are merged into the part of a list between their places and the nearer end: the server can
-- neither split nor join lists, so that part is read and written whole. In the middle of a long list
-- this takes longer than an operation should hold the server. Then the ids go into a side list of
-- the class instead, which is short, or ends before them.
--
-- A side list is an rq queue as all lists are, and by its name a class that asks for the same: the
-- priority is spelled with up to SIDES more zeros, p00.c1... beside p0.c1... So whoever looks at all
-- classes, claims among others, finds its jobs in their order; also a worker that knows nothing of
-- side lists: it puts what it claimed there back into its own class. A job is in the class of a side
-- list (`origin`) only while it waits there.

local SIDES = 9
local MOVED_MOST = 5000 -- ids; some milliseconds
local LONGEST_PRIORITY = 15 -- digits that mlq.jobs.class_name reads

-- The class of which this is a side list; the class itself if it is none.
local function own_class(class)
  local sign, digits, rest = string.match(class, '^p(%-?)0+(%d+)(%.c%d.*)$')
  return digits and 'p' .. sign .. digits .. rest or class
end

-- Let a job that waited in a side list be of its own class again; return that.
local function leave_side(id, class)
  local own = own_class(class)
  if own ~= class then
    redis.call('HSET', job_key(id), 'origin', own)
  end
  return own
end

-- The name of a side list of a class; nil if it can have none of this number.
local function side_list(class, number)
  local sign, digits, rest = string.match(class, '^p(%-?)(%d+)(%.c%d.*)$')
  if digits and #digits + number <= LONGEST_PRIORITY then
    return 'p' .. sign .. string.rep('0', number) .. digits .. rest
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

-- How entries would get into the list of a class: `late` at its end, the others by rewriting it up to
-- the last of `front` and from the first of `back`, or `alone`. `moved`: how many ids that moves.
local function way_into(class, entries)
  local key = list_key(class)
  local last, length = redis.call('LINDEX', key, -1), redis.call('LLEN', key)
  local last_order = last and order_of(last) or -1
  local way = { class = class, length = length, late = {}, front = {}, back = {}, moved = 0 }
  local function id_at(at)
    return redis.call('LINDEX', key, at)
  end
  function way.after(entry)
    return first_after(entry.order, 0, length, id_at)
  end
  local half
  for _, entry in ipairs(entries) do
    if entry.id ~= last and entry.order >= last_order then
      table.insert(way.late, entry.id)
    elseif entry.id ~= last then
      half = half or order_of(id_at(middle(0, length)))
      table.insert(entry.order < half and way.front or way.back, entry)
    end
  end
  if #way.front + #way.back == 1 then
    way.alone = way.front[1] or way.back[1]
  elseif half then
    way.moved = (#way.front > 0 and way.after(way.front[#way.front]) or 0)
      + (#way.back > 0 and length - way.after(way.back[1]) or 0)
  end
  return way
end

local function is_list(class)
  local kind = redis.call('TYPE', list_key(class)).ok
  return kind == 'list' or kind == 'none'
end

-- The way into the class's own list; if that moves too much, into a side list.
local function best_way(class, entries)
  local best = way_into(class, entries)
  for number = 1, SIDES do
    local side = best.moved > MOVED_MOST and side_list(class, number)
    if not side then
      break
    end
    local way = is_list(side) and way_into(side, entries)
    best = way and way.moved < best.moved and way or best
  end
  return best
end

local function insert_alone(key, way)
  local at = way.after(way.alone)
  if at == 0 or redis.call('LINDEX', key, at - 1) ~= way.alone.id then
    redis.call('LINSERT', key, 'BEFORE', redis.call('LINDEX', key, at), way.alone.id)
  end
end

-- Only the part between the first and the last of their places is merged; what lies beyond it is
-- read and written as it is.
local function rewrite(key, way)
  -- Include the place before: the job may be there already.
  local function from_of(entry)
    return math.max(0, way.after(entry) - 1)
  end
  local front, back = way.front, way.back
  if #back > 0 then
    local from, upto = from_of(back[1]), way.after(back[#back])
    local all = merged(range(key, from, upto), back)
    local rest = range(key, upto, way.length)
    if from == 0 then
      redis.call('DEL', key)
    else
      redis.call('LTRIM', key, 0, from - 1)
    end
    push('RPUSH', key, all, 1, #all, 1)
    push('RPUSH', key, rest, 1, #rest, 1)
  end
  if #front > 0 then
    local from, upto = from_of(front[1]), way.after(front[#front])
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

local function insert_all(class, ids)
  local entries = {}
  for _, id in ipairs(ids) do
    entries[#entries + 1] = { id = id, order = order_of(id) }
  end
  table.sort(entries, function(one, other)
    return one.order < other.order
  end)
  place_end(list_key(class), entering_is_new and entries[1].order - 0.5 or nil)
  local way = best_way(class, entries)
  local key = list_key(way.class)
  if way.class ~= class then
    for _, id in ipairs(ids) do
      redis.call('HSET', job_key(id), 'origin', way.class)
    end
  end
  if way.alone then
    insert_alone(key, way)
  else
    rewrite(key, way)
  end
  push('RPUSH', key, way.late, 1, #way.late, 1)
  redis.call('SADD', 'rq:queues', key)
end

function settle_lists()
  for class, change in pairs(changes) do
    remove_all(list_key(class), noted(change, 'leaves')) -- first: they may enter another list
  end
  for class, change in pairs(changes) do
    local ids = noted(change, 'enters')
    if #ids > 0 then
      insert_all(class, ids)
    end
  end
  changes, entering_is_new = {}, false
end
