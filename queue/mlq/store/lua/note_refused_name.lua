-- note_refused_name(record) -> {}
--   record  {machine, worker, host_id, boot_id, host, pid, pid_start, pid_ns}: a worker that was
--           refused its machine's name because another holds it
-- For `mlq doctor`: the last one of each machine. Not cached: asked twice, it notes the same.
args.record.at = now()
redis.call('HSET', 'mlq:refused_names', args.record.machine, cjson.encode(args.record))
redis.call('EXPIRE', 'mlq:refused_names', NAME_TTL_S)
return '{}'
