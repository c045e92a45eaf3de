-- tell(at) -> {untold, revived}
--   at      the present, ISO
--   untold  how many jobs that ended, or were run again, still have dependents to be told
--   revived [[parent, id]]: jobs put back that were canceled because of a parent that was run again
-- Goes on telling dependents if an earlier operation had too many (see move). Any client may ask for it
-- at any time. Not cached: asked twice, it only tells more of them.
local untold = tell_dependents(args.at)
return reply({ untold = untold, revived = revived })
