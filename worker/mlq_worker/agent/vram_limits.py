"""Which attempts take more GPU memory than they asked for, in looks at the machine: pure.

What `--vram` asks for is a limit on each GPU that an attempt shares. The worker watches it, since
NVML is asked by the worker only. Invariant: an attempt ends only for memory that the driver says is
its own; where it does not tell whose memory is whose, nothing ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mlq.store.replies import Attempt
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.guest.memory.limits import reason, vram_judged
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.probes.machine import MachineReport
from mlq_worker.probes.nvml import Gpu


class Overstep(NamedTuple):
    """Why an attempt must end, for people, and which memory it took."""

    reason: str
    shortage: Shortage


class VramLimits:
    """Remembers who was over in the last look."""

    def __init__(self) -> None:
        self._over: frozenset[tuple[Attempt, str]] = frozenset()
        self._seen_s = float("-inf")
        self._ends: dict[Attempt, Overstep] = {}

    def see(
        self, report: MachineReport, active: Iterable[LocalAttempt]
    ) -> Mapping[Attempt, Overstep]:
        """Return the attempts that must end.

        Args:
            report: a look at the machine; one that was taken in already changes nothing.
            active: the attempts that run.
        """
        if report.at_s <= self._seen_s:
            return self._ends
        self._seen_s = report.at_s
        over: set[tuple[Attempt, str]] = set()
        self._ends = {}
        for one in active:
            limit_mib = one.request.vram_mib
            if not limit_mib or not one.leader_pid:
                continue
            for gpu in report.gpus.gpus:
                held_mib = _held_mib(gpu, one, report)
                name = one.attempt, gpu.uuid
                judged = vram_judged(limit_mib, held_mib, was_over=name in self._over)
                if judged.is_over:
                    over.add(name)
                if judged.ends:
                    why = reason(limit_mib, held_mib, of_gpu=True)
                    self._ends[one.attempt] = Overstep(
                        why, Shortage(of_gpu=True, used_mib=held_mib)
                    )
        self._over = frozenset(over)
        return self._ends


def _held_mib(gpu: Gpu, one: LocalAttempt, report: MachineReport) -> int:
    """Return what an attempt's own processes have on a GPU of its own; 0 where that is not told."""
    if gpu.uuid not in one.gpu_uuids:
        return 0
    own = [each for each in gpu.processes if report.gpu_owners.get(each.pid) == one.leader_pid]
    return sum(each.used_mib or 0 for each in own)
