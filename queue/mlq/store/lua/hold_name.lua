-- hold_name(record, expected?) -> {holder}
--   record    {machine, worker, host_id, boot_id, host, pid, pid_start, pid_ns}: who wants the name
--   expected  {worker, renewed}: who had the name when the caller made sure that it may take it;
--             left out if no worker had
--   holder    who has the name now: the caller, if nothing has changed since
-- A machine's name has one worker at a time. Not cached: the same worker has it already.
local key = name_key(args.record.machine)
local found = redis.call('HMGET', key, 'worker', 'renewed')
local expected = args.expected or {}
local unchanged = (found[1] or '') == (expected.worker or '')
  and (not expected.worker or found[2] == expected.renewed)
if found[1] ~= args.record.worker and unchanged then
  redis.call('DEL', key)
  write_name(args.record)
end
return reply({ holder = as_table(redis.call('HGETALL', key)) })
