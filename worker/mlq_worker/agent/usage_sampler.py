"""What each attempt uses, sampled every ten seconds from the looks at the machine: pure.

CPU time is that of the whole process tree, so a span has it all, whenever the looks happen; memory
is the most that a look saw. GPU memory and use are those of the attempt's own processes where the
driver tells them, and those of the whole GPU where it does not and the attempt is alone on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlq.metrics.usage import Sample
from mlq.store.replies import Attempt
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.probes.machine import MachineReport
from mlq_worker.probes.nvml import Gpu

EVERY_S = 10.0
_SHORTEST_S = 1.0  # of the span at an attempt's end: the kernel counts in ticks of 10 ms


@dataclass(slots=True)
class _Span:
    """What was seen of an attempt since its last sample."""

    began_s: float
    began_cpu_s: float
    began_waited_s: float
    at_s: float
    cpu_s: float
    waited_s: float
    is_free: bool = True  # it had all its cores throughout
    mem_mib: int = 0
    vram_mib: int | None = None
    gpu_sum: float = 0.0
    gpu_looks: int = 0

    def see(self, mem_mib: int, vram_mib: int | None, gpu: float | None) -> None:
        self.mem_mib = max(self.mem_mib, mem_mib)
        if vram_mib is not None:
            self.vram_mib = max(self.vram_mib or 0, vram_mib)
        if gpu is not None:
            self.gpu_sum, self.gpu_looks = self.gpu_sum + gpu, self.gpu_looks + 1

    def sample(self, utc_s: float) -> Sample:
        over_s = self.at_s - self.began_s
        return Sample(
            utc_s,
            over_s,
            max(0.0, self.cpu_s - self.began_cpu_s) / over_s,
            self.mem_mib,
            self.vram_mib,
            self.gpu_sum / self.gpu_looks if self.gpu_looks else None,
            max(0.0, self.waited_s - self.began_waited_s) / over_s if self.is_free else None,
        )


class UsageSampler:
    """Turns looks at the machine into samples.

    Args:
        every_s: how long a span is, at least.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._spans: dict[Attempt, _Span] = {}
        self._seen_s = float("-inf")

    def see(
        self, report: MachineReport, active: Sequence[LocalAttempt], utc_s: float
    ) -> dict[Attempt, Sample]:
        """Take in a look; return the samples of attempts whose span is over.

        Args:
            report: the look; one that was taken in already is left out.
            active: the attempts that run.
            utc_s: unix time.
        """
        if report.at_s <= self._seen_s:
            return {}
        self._seen_s = report.at_s
        alone = _alone(active)
        due = {}
        for one in active:
            cpu_s = report.cpu_s.get(one.leader_pid or 0)
            if cpu_s is None:
                continue
            waited_s = report.waited_s.get(one.leader_pid or 0, 0.0)
            seen = report.at_s, cpu_s, waited_s
            span = self._spans.get(one.attempt)
            if span is None:
                began = seen if one.adopted else (one.started_s, 0.0, 0.0)
                span = self._spans[one.attempt] = _Span(*began, *began)
            span.at_s, span.cpu_s, span.waited_s = seen
            span.is_free = span.is_free and not one.restraint
            mem_mib = report.memory.used_by.get(one.leader_pid or 0, 0)
            span.see(mem_mib, *_on_gpus(one, report, alone))
            if span.at_s - span.began_s >= self._every_s:
                due[one.attempt] = span.sample(utc_s)
                self._spans[one.attempt] = _Span(*seen, *seen)
        return due

    def ended(self, attempt: Attempt, utc_s: float) -> Sample | None:
        """Return the last sample of an attempt that has ended; None if too little was seen."""
        span = self._spans.pop(attempt, None)
        if span is None or span.at_s - span.began_s < min(_SHORTEST_S, self._every_s):
            return None
        return span.sample(utc_s)

    def keep(self, attempts: Mapping[Attempt, object]) -> None:
        """Forget all other attempts."""
        for attempt in [one for one in self._spans if one not in attempts]:
            del self._spans[attempt]


def _alone(active: Iterable[LocalAttempt]) -> dict[str, bool]:
    """Return of each GPU that was given out whether one attempt has it alone."""
    alone: dict[str, bool] = {}
    for one in active:
        for uuid in one.gpu_uuids:
            alone[uuid] = uuid not in alone
    return alone


def _on_gpus(
    one: LocalAttempt, report: MachineReport, alone: Mapping[str, bool]
) -> tuple[int | None, float | None]:
    """Return an attempt's memory on all its GPUs, and how busy it keeps them on average."""
    vram_mib: int | None = None
    shares = []
    for gpu in report.gpus.gpus:
        if gpu.uuid not in one.gpu_uuids:
            continue
        mib, share = _on_gpu(gpu, one.leader_pid or 0, report, is_alone=alone[gpu.uuid])
        if mib is not None:
            vram_mib = (vram_mib or 0) + mib
        if share is not None:
            shares.append(share)
    return vram_mib, sum(shares) / len(shares) if shares else None


def _on_gpu(
    gpu: Gpu, leader_pid: int, report: MachineReport, *, is_alone: bool
) -> tuple[int | None, float | None]:
    own = [one for one in gpu.processes if report.gpu_owners.get(one.pid) == leader_pid]
    memory = [one.used_mib for one in own if one.used_mib is not None]
    busy = [one.busy for one in own if one.busy is not None]
    of_gpu = (gpu.total_mib - gpu.free_mib, gpu.busy) if is_alone else (None, None)
    if gpu.lists_processes and not gpu.processes:
        of_gpu = 0, of_gpu[1]
    # In a container the driver may name processes by numbers that are not ours.
    mib = sum(memory) if own and len(memory) == len(own) else of_gpu[0]
    share = min(1.0, sum(busy)) if own and len(busy) == len(own) else of_gpu[1]
    return mib, share
