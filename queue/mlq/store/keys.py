"""The names of the keys in Redis, for Python and for what the loader generates of them for Lua.

What each key holds is said at the top of `lua/_prelude.lua`.
"""

from __future__ import annotations

from mlq.jobs.lifecycle import State

REGISTRIES = {
    State.DEFERRED: "rq:deferred:",
    State.SCHEDULED: "rq:scheduled:",
    State.QUEUED: "rq:queue:",
    State.STARTED: "rq:wip:",
    State.FINISHED: "rq:finished:",
    State.FAILED: "rq:failed:",
    State.CANCELED: "rq:canceled:",
}
"""Where rq keeps the jobs of each state, but for the name of the class."""
