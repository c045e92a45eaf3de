-- release_name(machine, worker) -> {}
-- The worker holds nothing and leaves: its machine's name is free at once. The last holder stays
-- recorded, to know whose last beat is on the results root. Not cached: doing it twice does no harm.
local key = name_key(args.machine)
if redis.call('HGET', key, 'worker') == args.worker then
  redis.call('HSET', key, 'worker', '')
end
return '{}'
