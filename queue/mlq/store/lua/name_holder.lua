-- name_holder(machine) -> {holder}
--   holder  who has the machine's name, or had it last: the fields of hold_name.lua's record, since,
--           renewed, and age_s, how long ago that was; empty if no worker had
return reply({ holder = as_table(redis.call('HGETALL', name_key(args.machine))) })
