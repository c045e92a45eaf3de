-- record_machine(machine, record, rq_worker, ttl_s, rq_ttl_s) -> {}
--   record     what a machine says of itself, JSON text, for `mlq machines`
--   rq_worker  flat list: the fields of a stock rq worker hash, for `rq info`
-- Not cached: doing it twice does no harm.
local key = 'rq:worker:' .. args.machine
redis.call('SET', 'mlq:machine:' .. args.machine, args.record, 'EX', args.ttl_s)
redis.call('HSET', key, unpack(args.rq_worker))
redis.call('EXPIRE', key, args.rq_ttl_s)
redis.call('SADD', 'rq:workers', key)
-- `rq info` shows the workers of each queue; a machine serves every class.
for _, queue in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  redis.call('SADD', 'rq:workers:' .. class_of(queue), key)
end
return '{}'
