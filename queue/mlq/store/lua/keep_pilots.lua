-- keep_pilots(pool, was, text) -> {kept}
--   pool  the id of a pool of pilots
--   was   its text as the caller read it; '' if there was none
--   text  its text from now on; '' to forget the pool
--   kept  whether it was still as the caller had read it; otherwise nothing is changed
local earlier = cached_reply()
if earlier then return earlier end

local kept = (redis.call('HGET', 'mlq:pilots', args.pool) or '') == args.was
if kept and args.text == '' then
  redis.call('HDEL', 'mlq:pilots', args.pool)
elseif kept then
  redis.call('HSET', 'mlq:pilots', args.pool, args.text)
end
return reply({ kept = kept })
