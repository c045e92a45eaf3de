"""Drives a search: looks at its members, stops some, starts new ones, until all have ended.

It keeps nothing that matters: whatever it knows comes from the queue and from the results root. So
it may be killed at any time, started again, and run twice at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mlq.api import many
from mlq.api.search_look import MemberCurves, ReadFile, find, look
from mlq.api.search_members import MemberMaker
from mlq.errors import QueueUnreachableError, UnsafePathError
from mlq.files.layout import Layout
from mlq.search.decide import Decision, Seen, Standing, decide, standing
from mlq.search.history import Outcome, Trial
from mlq.search.order import Order
from mlq.search.space import Space
from mlq.search.study import check_optuna, next_member
from mlq.store.store import Store
from mlq.units import utc_iso

POLL_S = 1.0
_LOOK_S = 5.0


class Tools(NamedTuple):
    """What a driver needs from outside.

    Args:
        store: the queue.
        layout: of the results root.
        key: the signing key.
        read: reads a file of the results root.
        clock: unix time.
        sleep: waits so many seconds.
        show: called with how far the search is, whenever it has looked.
        tell: called with each message for the user.
    """

    store: Store
    layout: Layout
    key: bytes
    read: ReadFile
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    show: Callable[[Standing], None] = lambda _: None
    tell: Callable[[str], None] = lambda _: None


class Driver:
    """Drives one search.

    Args:
        order: the search.
        space: what its parameters may be.
        tools: what it needs from outside.

    Raises:
        MissingOptunaError: Optuna is not installed here.
    """

    def __init__(self, order: Order, space: Space, tools: Tools) -> None:
        check_optuna()
        self._order, self._space, self._tools = order, space, tools
        self._maker = MemberMaker(tools.store, order, tools.key)
        self._curves = MemberCurves(tools.layout, order.asked.aim.goal, tools.read)
        self._is_exhausted = False
        self._seen: tuple[object, float] | None = None
        self._standing: Standing | None = None

    def run(self) -> Standing:
        """Drive the search until all its members have ended; return how it ended.

        If the queue goes away, the driver waits for it.

        Raises:
            SearchError: the members do not report the objective, or they all fail.
            JobNotFoundError: the sweep is gone from the queue.
            InvalidInputError: a parameter that was drawn cannot be passed to a job.
        """
        told = ""
        while True:
            try:
                if self.turn() and self._standing is not None:
                    return self._standing
            except UnsafePathError:
                raise
            except QueueUnreachableError as error:
                if error.what != told:
                    told = error.what
                    self._tools.tell(f"{told}; waiting until it does")
            self._tools.sleep(POLL_S)

    def turn(self) -> bool:
        """Look, decide and act once; return whether the search has ended."""
        tools, aim = self._tools, self._order.asked.aim
        now_s = tools.clock()
        if not self._has_news(now_s):
            return False
        seen = look(tools.store, self._order.number)
        curves = self._curves.of(seen.members, now_s) if aim.pruner else {}
        decision = decide(seen, aim, now_s, curves)
        for job_id, reason in decision.stop.items():
            many.cancel(tools.store, [job_id], reason, tools.clock, lambda _done, _of: None)
        started = self._start(seen, decision)
        self._standing = standing(seen, decision, aim)
        if started:
            self._seen = None  # look at once
        else:
            tools.show(self._standing)
        unended = self._standing.outcomes[Outcome.RUNNING]
        return decision.done or (self._is_exhausted and not unended)

    def _has_news(self, now_s: float) -> bool:
        """Return whether the counts of the sweep have changed, or it is time to look anyway.

        To count thousands of members costs the queue nothing, to read them some milliseconds.
        """
        sweep = find(self._tools.store, self._order.number)
        version = (sweep.counts, sweep.members, sweep.held)
        known = self._seen
        if known is not None and known[0] == version and 0 <= now_s - known[1] < _LOOK_S:
            return False
        self._seen = version, now_s
        return True

    def _start(self, seen: Seen, decision: Decision) -> int:
        """Start new members, each chosen with those before it in mind; return how many."""
        if self._is_exhausted:
            return 0
        asked = self._order.asked
        trials = list(decision.trials)
        keys = set(seen.keys)

        def is_new(params: Mapping[str, str]) -> bool:
            return self._maker.key_of(params) not in keys

        for index in range(seen.free, seen.free + decision.start):
            seed = asked.seed, index
            drawn = next_member(self._space, trials, asked.aim.goal, seed, is_new)
            if drawn is None:
                self._is_exhausted = True
                self._tools.tell(f"{len(keys)} members are all that there can be")
                return index - seen.free
            if not self._maker.make(drawn, index, utc_iso(self._tools.clock())):
                return index - seen.free + 1  # another driver made this one
            keys.add(self._maker.key_of(drawn.params))
            trials.append(Trial(index, drawn.params, drawn.drawn, Outcome.RUNNING))
        return decision.start
