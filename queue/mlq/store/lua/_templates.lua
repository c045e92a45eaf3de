-- What jobs have in common is kept once: their template, which is their spec without the command, the
-- id and the time of submission. In the hash of such a job `mlq_spec` is "<digest> <command, JSON>".
-- For a member of a sweep, its place there is left out, too; that is in `mlq_member`.
--
--   mlq:template:<digest>  JSON: the four texts around command, id and time, or the five around
--                          command, id, member and time
--   mlq:template_uses      digest -> how many jobs have it; without any, it goes. (A job that rq's
--                          tools delete is counted for ever.)

-- The spec as it was signed; unchanged if it has no template, or its template is gone or not ours.
local function whole_spec(id, spec, created_at, member)
  local digest, command = string.match(spec, '^(%x+) (%[.*%])$')
  local template = digest and redis.pcall('GET', 'mlq:template:' .. digest)
  local readable, part = pcall(cjson.decode, template)
  if not readable or type(part) ~= 'table' or #part ~= 4 and #part ~= 5 then
    return spec
  end
  local rest = { part[3], '"', created_at, '"', part[4] }
  if #part == 5 then
    rest = { part[3], member, part[4], '"', created_at, '"', part[5] }
  end
  local made, whole = pcall(table.concat,
    { part[1], command, part[2], '"', id, '"', unpack(rest) })
  return made and whole or spec
end

local written = {}

-- Note that one more job has a template. The template is written even if it exists, so that a
-- stranger's replacement does not last.
local function use_template(digest, templates)
  if digest == '' then
    return
  end
  if not written[digest] then
    redis.call('SET', 'mlq:template:' .. digest, templates[digest])
    written[digest] = true
  end
  count_up('mlq:template_uses', digest)
end

local function disuse_template(spec)
  local digest = string.match(spec or '', '^(%x+) ')
  if not digest then
    return
  end
  local left = number_or(redis.call('HGET', 'mlq:template_uses', digest)) - 1
  if left > 0 then
    redis.call('HSET', 'mlq:template_uses', digest, left)
  else
    redis.call('HDEL', 'mlq:template_uses', digest)
    redis.call('DEL', 'mlq:template:' .. digest)
  end
end
