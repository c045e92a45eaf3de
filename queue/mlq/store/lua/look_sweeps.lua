-- look_sweeps(words) -> {sweeps}
--   words   numbers and names of sweeps
--   sweeps  [{number, name, at, held, members, counts, max_running, max_fails, took, took_s, varying,
--             ended, search, word}]: those that there are
--             at       when it was enqueued last, ISO
--             held     why it is held; '' if it is not
--             members  how many it knows; counts: how many of them are in each state, and `held`
--             max_running, max_fails   its options; 0: none
--             took, took_s   how many finished, and in how many seconds together
--             varying  names of its parameters, JSON
--             ended    when a member ended last, unix time; 0 if none has
--             search   what a search is to do, JSON; '' if it is no search
--             word     the number or name by which the caller asked for it
-- Read-only.
local sweeps = {}
for _, word in ipairs(args.words) do
  local number = redis.call('HGET', 'mlq:sweeps', word)
  if not number and string.match(word, '^[1-9]%d*$') and #word <= 12 then
    number = word
  end
  local info = number and sweep_info(number)
  if info then
    info.word = word
    sweeps[#sweeps + 1] = info
  end
end
return cjson.encode({ sweeps = sweeps })
