-- tell(at, states) -> {untold}
--   at      the present, ISO
--   states  {good, waiting, ready, refused, ended: {state: true}}
--   untold  of how many ended jobs dependents are still to be told
-- Goes on telling dependents where an earlier operation had too many (see move). Anybody may ask for
-- it at any time. Not cached: asked twice, it only tells more of them.
return reply({ untold = tell_dependents(args.states, args.at) })
