"""When the worker looks at its machine, and what it can then offer.

A look costs a scan of /proc and some NVML calls, so the worker takes one every few seconds. Before
it offers GPUs the look must be fresh, because other people's processes may have grown meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlq.jobs.placement import Offer
from mlq_worker.agent.context import MachineContext
from mlq_worker.probes.machine import Limits, MachineReport, Promise, free_for_us

_OLDEST_S = 5.0
_OLDEST_FOR_GPUS_S = 1.0
_OLDEST_WITHOUT_JOBS_S = 10.0


class ResourceMonitor:
    """Keeps the latest look at the machine.

    Args:
        context: the machine.
        now_s: the worker's clock.
        own_pids: roots of our process trees; see `MachineContext.own_pids`.
    """

    def __init__(self, context: MachineContext, now_s: float, own_pids: Sequence[int]) -> None:
        self._context = context
        beat_s = context.settings.beat_s
        self._oldest_s = min(_OLDEST_S, beat_s)
        self._oldest_without_jobs_s = min(_OLDEST_WITHOUT_JOBS_S, beat_s)
        self.report: MachineReport = context.probe.look(now_s, own_pids, ())
        self._looked_s = now_s

    def look(
        self,
        now_s: float,
        own_pids: Sequence[int],
        leader_pids: Iterable[int],
        neighbour_pids: Iterable[int] = (),
        *,
        for_jobs: bool,
        for_gpus: bool,
    ) -> None:
        """Look again if the latest look is too old.

        Args:
            now_s: the worker's clock.
            own_pids: roots of our process trees.
            leader_pids: the first process of each attempt.
            neighbour_pids: the first process of each job of other people's mlq.
            for_jobs: whether any job runs here or waits.
            for_gpus: whether GPUs are about to be offered.
        """
        oldest_s = self._oldest_s if for_jobs else self._oldest_without_jobs_s
        if for_gpus and self._context.has_gpus:
            oldest_s = min(oldest_s, _OLDEST_FOR_GPUS_S)
        if now_s - self._looked_s >= oldest_s:
            probe = self._context.probe
            self.report = probe.look(now_s, own_pids, leader_pids, neighbour_pids)
            self._looked_s = now_s

    def gpus_in_words(self) -> str:
        """Return what is wrong with the GPUs or unusual about them; "" if nothing."""
        gpus = self.report.gpus
        if gpus.fault:
            return f"{'not all' if gpus.gpus else 'no'} GPUs: {gpus.fault}"
        return gpus.note if gpus.gpus else ""

    def offer(self, promises: Sequence[Promise], *, is_anybody: bool = False) -> Offer:
        """Return what is free for new jobs beyond what was promised.

        Args:
            promises: to our jobs and to neighbours'.
            is_anybody: whether the supervisor saw that somebody else is here.
        """
        return free_for_us(self.report, promises, self._limits(is_anybody))

    def kept_for_others(self, *, is_anybody: bool) -> tuple[int, int]:
        """Return how many cores and how much memory, in MiB, are left free for others now."""
        return self._limits(is_anybody).kept(self.report.cores)

    def _limits(self, is_anybody: bool) -> Limits:
        return replace(self._context.limits, is_anybody=is_anybody)
