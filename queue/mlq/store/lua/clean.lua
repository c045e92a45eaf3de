-- clean(ids, at) -> {marked}
--   at      time, ISO
--   marked  [id]: those of the jobs that have ended; the queue notes that their folders go
-- A job that is started again loses the note (claim.lua).
local earlier = cached_reply()
if earlier then return earlier end

local marked = {}
for _, id in ipairs(args.ids) do
  local key = job_key(id)
  local state = redis.call('HGET', key, 'status')
  if state and ENDED[state] then
    redis.call('HSET', key, 'mlq_cleaned', args.at)
    marked[#marked + 1] = id
  end
end
return reply({ marked = marked })
