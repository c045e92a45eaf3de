-- annotate(attempts) -> {annotated}
--   attempts   [[id, attempt, fields]]: of jobs that have ended; fields: flat list of hash fields to
--              set, what became known of that attempt after its end was committed
--   annotated  how many jobs were: of those that have been run again since, nothing is set
-- Not cached: doing it twice does no harm.
local annotated = 0
for _, known in ipairs(args.attempts) do
  local id, attempt, fields = unpack(known)
  local job = redis.call('HMGET', job_key(id), 'status', 'mlq_attempt')
  if ENDED[job[1]] and number_or(job[2]) == attempt and #fields > 0 then
    redis.call('HSET', job_key(id), unpack(fields))
    annotated = annotated + 1
  end
end
return reply({ annotated = annotated })
