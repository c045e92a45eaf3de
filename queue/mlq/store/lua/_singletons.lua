-- Jobs that come after all earlier jobs of their name (`mlq_singleton`).
--
-- Such a job waits for one of these at a time: for the last in line, which is in mlq_behind. Once that
-- has ended, the next is looked for. So the end of a job concerns one other, however many wait.

local last_made = {} -- name -> the last job that this operation made of it, if it has not ended

-- All jobs that wait for a job, directly or not.
local function followers_of(id)
  local found, todo = {}, { id }
  while #todo > 0 do
    for _, child in ipairs(redis.call('SMEMBERS', job_key(table.remove(todo)) .. ':dependents')) do
      if not found[child] then
        found[child] = true
        todo[#todo + 1] = child
      end
    end
  end
  return found
end

-- The last place below `below` where a bitmap has a 1; nil if it has none there.
local function last_bit(key, below)
  local bits = redis.call('GET', key) or ''
  for at = math.min(#bits, math.ceil(below / 8)), 1, -1 do
    local byte = string.byte(bits, at)
    for bit = byte > 0 and 7 or -1, 0, -1 do
      local place = 8 * (at - 1) + bit
      if place < below and math.floor(byte / 2 ^ (7 - bit)) % 2 == 1 then
        return place
      end
    end
  end
end

-- Call `see` with unended members of the sweeps of a name: of each state, with the last one. Of those
-- that wait for others themselves, only members before the job of this id count.
local function see_members(id, name, see)
  local mine, index = sweep_of(id)
  local at = order_of(id)
  for _, number in ipairs(redis.call('HVALS', 'mlq:sweeps')) do
    if redis.call('HGET', sweep_key(number), 'name') == name then
      for state in pairs(REGISTRY) do
        local below = MEMBERS_AT_MOST
        if state == State.DEFERRED then
          below = number == mine and tonumber(index) or tonumber(number) < at and below or 0
        end
        local last = not ENDED[state] and last_bit(bits_key(number, state), below)
        if last then
          see(number .. '_' .. last, state)
        end
      end
    end
  end
end

-- The last unended job of a name that a job must wait for: one before it, or one that waits for
-- nothing itself; never one that waits for this job. Nil if there is none.
local function job_before(id, name)
  if last_made[name] then
    return last_made[name]
  end
  local place, followers, best, order_of_best = order_of(id), nil, nil, -1
  local function see(other, state)
    local order = other ~= id and state and not ENDED[state] and order_of(other)
    if order and order > order_of_best and (order < place or state ~= State.DEFERRED) then
      followers = followers or followers_of(id)
      if not followers[other] then
        best, order_of_best = other, order
      end
    end
  end
  for _, other in ipairs(redis.call('SMEMBERS', 'mlq:name:' .. name)) do
    see(other, redis.call('HGET', job_key(other), 'status'))
  end
  see_members(id, name, see)
  return best
end
