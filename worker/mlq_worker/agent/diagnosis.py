"""Whose fault it was that memory ran out: the job's, or a neighbour's. Pure.

A job that had more than it was promised has itself to blame, and needs more next time. If it kept
its promise, others on the machine had grown. One that was ended because it had more than its limit
says so itself. What it had is the most that is known of it: by its
own message, by the samples of its processes, by what the kernel says of its largest process.
Without any of these the job is to blame: asking for more is tried only a few times.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mlq.jobs.placement import IDLE_GPU_SHARE
from mlq.jobs.request import LARGEST, Request
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.ipc.shortage import Shortage

HALF_AS_MUCH_AGAIN, ROOM = 1.5, 1.15
_MIB_A_GIB = 1024


class Diagnosis(NamedTuple):
    """Why memory ran out.

    Args:
        of_gpu: whether memory of a GPU is meant.
        used_mib: what it had, as far as known; 0 if nothing is known.
        asked_mib: what it had asked for; 0: a whole GPU.
        card_mib: the memory of its GPU; 0 if unknown.
        said: why it was ended, if it was for its own use of memory.
    """

    of_gpu: bool
    used_mib: int
    asked_mib: int
    card_mib: int = 0
    said: str = ""

    @property
    def is_own_fault(self) -> bool:
        """Whether it used more than it was promised."""
        if self.said:
            return True
        promised_mib = self.asked_mib or self.card_mib * IDLE_GPU_SHARE
        return not promised_mib or not self.used_mib or self.used_mib > promised_mib

    @property
    def wanted_mib(self) -> int:
        """What it should ask for next time."""
        more_mib = math.ceil(self.had_mib * HALF_AS_MUCH_AGAIN)
        # A job that used twice what it asked for would fail again with half as much again.
        enough = self.used_mib < more_mib
        return min(LARGEST, more_mib if enough else math.ceil(self.used_mib * ROOM))

    @property
    def had_mib(self) -> int:
        """What it was given; 0 if that is not known."""
        return self.asked_mib or self.card_mib

    @property
    def reason(self) -> str:
        """What happened, for people."""
        if self.said:
            return self.said
        what = "out of GPU memory" if self.of_gpu else "out of memory"
        if not self.had_mib:
            return f"{what}, with a whole GPU to itself"
        of = "it had asked for" if self.asked_mib else "of its GPU"
        if not self.used_mib:
            return f"{what}: {of} {in_words(self.had_mib)}" if self.asked_mib else what
        used, asked = _together(self.used_mib, self.had_mib)
        if self.is_own_fault:
            return f"{what}: it used {used} of the {asked} {of}"
        return f"{what}, but it used {used} of the {asked} {of}: others took the rest"


def diagnose(result: AttemptResult, shortage: Shortage, request: Request) -> Diagnosis:
    """Return why memory ran out.

    Args:
        result: how the attempt ended.
        shortage: which memory ran out.
        request: what it had asked for.
    """
    if result.outcome == "overstepped":
        asked_mib = request.vram_mib if shortage.of_gpu else request.mem_mib
        return Diagnosis(shortage.of_gpu, shortage.used_mib, asked_mib, said=result.reason)
    if not shortage.of_gpu:
        used_mib = max(result.max_rss_mib or 0, result.peaks.mem_mib or 0)
        return Diagnosis(of_gpu=False, used_mib=used_mib, asked_mib=request.mem_mib)
    sampled_mib = math.ceil((result.peaks.vram_mib or 0) / max(1, request.gpus))
    used_mib = max(shortage.used_mib, sampled_mib)
    return Diagnosis(
        of_gpu=True,
        used_mib=used_mib,
        asked_mib=request.vram_mib,
        card_mib=shortage.card_mib,
    )


def in_words(mib: int) -> str:
    """Return a size for people: `9 GiB`, `7.9 GiB`, `512 MiB`."""
    return f"{_number(mib, in_gib=mib >= _MIB_A_GIB)} {'GiB' if mib >= _MIB_A_GIB else 'MiB'}"


def _together(used_mib: int, asked_mib: int) -> tuple[str, str]:
    in_gib = asked_mib >= _MIB_A_GIB or used_mib >= 10 * _MIB_A_GIB
    unit = "GiB" if in_gib else "MiB"
    return _number(used_mib, in_gib=in_gib), f"{_number(asked_mib, in_gib=in_gib)} {unit}"


def _number(mib: int, *, in_gib: bool) -> str:
    if not in_gib:
        return str(mib)
    gib = mib / _MIB_A_GIB
    return f"{gib:.0f}" if gib >= 100 or abs(gib - round(gib)) < 0.05 else f"{gib:.1f}"
