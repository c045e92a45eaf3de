"""Keeps each job on cores of its own: at its start, and at each look for as many as it has then.

It stands around the other watches, because it needs what they demand together: half of the cores
for somebody at the desk, fewer for others' work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.cores.autogroups import Autogroups
from mlq_worker.guest.cores.core_table import CoreTable
from mlq_worker.guest.cores.cores import NO_CORES, Cores, Machine
from mlq_worker.guest.cores.pinning import Kernel, Pinning
from mlq_worker.guest.own_processes import OwnProcesses
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.trees import Member
from mlq_worker.guest.watch import GuestAttempt, Seen, Watch
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.values import Order

AGAIN_S = 3.0
"""How often all threads are asked whether they are still pinned: a job may widen its mask."""


class JobCores:
    """A watch around others.

    Args:
        watch: the others.
        kernel: the machine.
        own: finds the processes of jobs.
        taken: returns the cores that neighbours' jobs are pinned to.
        autogroups: gives the sessions of jobs the lowest weight.
    """

    def __init__(
        self,
        watch: Watch,
        kernel: Kernel,
        own: OwnProcesses,
        taken: Callable[[], Cores] = lambda: NO_CORES,
        autogroups: Autogroups | None = None,
    ) -> None:
        self._autogroups = autogroups or Autogroups()
        self._watch, self._kernel, self._own, self._taken = watch, kernel, own, taken
        self._pinning, self._table = Pinning(kernel), CoreTable()
        self._wanted: Mapping[int, Cores] = {}
        self._pinned_at = float("-inf")
        self._machine: Machine | None = None  # until the next look: jobs may start in hundreds

    def start(self, order: Order, rules: GuestRules) -> tuple[Cores, ...]:
        """Return sets of cores, one of which a new job gets; () if it must not be pinned."""
        if not self._pins(rules):
            return ()
        self._machine = self._machine or self._pinning.machine(self._taken())
        return self._table.start(order, self._machine)

    def keep(self, live: Collection[AttemptId]) -> None:
        """Forget all but these attempts."""
        self._table.keep(live)

    def cores_of(self, attempt: AttemptId) -> Cores:
        """Return to which cores an attempt is pinned, for our board."""
        return self._table.cores_of(attempt)

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Ask the others, and pin each job to the cores that it has then."""
        seen = self._watch.look(attempts, rules, now)
        self._machine = None
        known = [one for one in attempts if one.target.pid is not None]
        if not known:
            return seen
        wanted: dict[int, Cores] = {}
        found = self._own.of(attempts, now.at)
        started = self._started(known, found)
        if not rules.is_granted:
            jobs = [one for each in known for one in found.get(each.target.pid or 0, ())]
            self._autogroups.look(jobs, now.at)
        if self._pins(rules):
            squeezed = {
                attempt: demand.cores
                for attempt, demand in seen.demands.items()
                if demand.cores is not None
            }
            self._machine = self._pinning.machine(self._taken())
            oldest_first = sorted(known, key=lambda one: one.started_at)
            cores = self._table.look(
                oldest_first,
                squeezed,
                self._machine,
                lambda one: self._pinning.mask_of(found.get(one.target.pid or 0, ())),
            )
            wanted = {one.target.pid: cores[one.id] for one in known if one.target.pid}
        else:
            self._table = CoreTable()
        self._pin(wanted, self._finder(attempts, now.at), started, now.at)
        return seen

    def _pin(
        self,
        wanted: Mapping[int, Cores],
        find: Callable[[], Mapping[int, Sequence[Member]]],
        started: Mapping[int, Cores],
        at: float,
    ) -> None:
        """Pin jobs at once when that changes anything; otherwise look whether they still are."""
        if wanted == self._wanted and not started and 0 <= at - self._pinned_at < AGAIN_S:
            return
        self._wanted, self._pinned_at = wanted, at
        if wanted or started or self._pinning.jobs:
            self._pinning.look(wanted, find, started)

    def _started(
        self, attempts: Sequence[GuestAttempt], found: Mapping[int, Sequence[Member]]
    ) -> dict[int, Cores]:
        """Return on which cores new jobs were started."""
        started = {}
        for one in attempts:
            keeper, cores = one.target.pid or 0, self._table.started_on(one.id)
            if keeper not in self._pinning.jobs and cores is not None:
                started[keeper] = cores or self._pinning.mask_of(found.get(keeper, ()))
        return started

    def _finder(
        self, attempts: Sequence[GuestAttempt], at: float
    ) -> Callable[[], Mapping[int, Sequence[Member]]]:
        """Return what finds the processes of jobs: first as last seen, then anew each time."""
        is_first = True

        def find() -> Mapping[int, Sequence[Member]]:
            nonlocal is_first
            is_first, was_first = False, is_first
            return self._own.of(attempts, at) if was_first else self._own.again()

        return find

    def _pins(self, rules: GuestRules) -> bool:
        """Return whether cores are a limit here.

        In an allocation, the batch system says which cores are ours, if it pinned us. If it did
        not, we cannot know which ones its other jobs use.
        """
        return rules.enforces("cores") and (not rules.is_granted or self._kernel.is_narrowed())
