-- show_people(machine, people, ttl_s) -> {}
--   people  who holds and wants what on a machine now, JSON text; it is never kept for longer than
--           the machine says it again
-- Not cached: doing it twice does no harm.
redis.call('SET', 'mlq:people:' .. args.machine, args.people, 'EX', args.ttl_s)
return '{}'
