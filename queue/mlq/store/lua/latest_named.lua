-- latest_named(name) -> {id, of}
--   id  the latest job of this name that has not ended, else the latest; '' if there is none
--   of  how many jobs of this name there are
-- Read-only.
local key = 'mlq:name:' .. args.name
local found = ''
for _, index in ipairs({ 'mlq:unended', 'mlq:jobs' }) do
  local ids = found == '' and redis.call('ZINTER', 2, key, index, 'WEIGHTS', 0, 1) or {}
  for at = #ids, 1, -1 do
    if found == '' and redis.call('EXISTS', job_key(ids[at])) == 1 then
      found = ids[at]
    end
  end
end
return cjson.encode({ id = found, of = redis.call('SCARD', key) })
