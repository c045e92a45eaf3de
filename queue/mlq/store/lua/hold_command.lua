-- hold_command(word, reason) -> {upto}
--   word    of a command (mlq.jobs.needs)
--   upto    the order of the last job that was submitted: those after it are not held
-- From now on no job of the command up to this one goes back to the queue; those that wait there are
-- moved by the caller, a slice at a time.
local earlier = cached_reply()
if earlier then return earlier end

local upto = last_number() + 0.999999
redis.call('SET', 'mlq:hold:' .. args.word, cjson.encode({ upto = upto, reason = args.reason }),
  'EX', 7 * 86400)
return reply({ upto = upto })
