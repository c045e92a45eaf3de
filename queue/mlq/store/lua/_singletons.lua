-- Jobs that come after all earlier jobs of their name (`mlq_singleton`).
--
-- Such a job waits for one of these at a time: for the last in line, which is in mlq_behind. Once that
-- has ended, the next is looked for. So the end of a job concerns one other, however many wait.
-- Members of one sweep do not wait for each other, as tasks of one array do not in Slurm; they all wait
-- for the same job.

local last_made = {} -- name -> the last job that this operation made of it, if it has not ended
local before_made = {} -- number of a sweep -> what the members that this operation makes wait for

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

-- The last place where a bitmap has a 1; nil if it has none.
local function last_bit(key)
  local bits = redis.call('GET', key) or ''
  for at = #bits, 1, -1 do
    local byte = string.byte(bits, at)
    for bit = byte > 0 and 7 or -1, 0, -1 do
      if math.floor(byte / 2 ^ (7 - bit)) % 2 == 1 then
        return 8 * (at - 1) + bit
      end
    end
  end
end

-- Call `see` with unended members of the other sweeps of a name: of each state, with the last one.
local function see_members(id, name, see)
  local mine = sweep_of(id)
  for _, number in ipairs(redis.call('HVALS', 'mlq:sweeps')) do
    if number ~= mine and redis.call('HGET', sweep_key(number), 'name') == name then
      for state in pairs(REGISTRY) do
        local last = not ENDED[state] and last_bit(bits_key(number, state))
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

-- The same for a job that is being made. Nothing ends meanwhile that it might wait for.
local function job_before_new(id, name)
  local number = sweep_of(id)
  if not number then
    return last_made[name] or job_before(id, name)
  elseif before_made[number] == nil then
    before_made[number] = job_before(id, name) or false
  end
  return before_made[number] or nil
end
