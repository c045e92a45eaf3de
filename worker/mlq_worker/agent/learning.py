"""What a finished attempt teaches about its command: a line for the queue (`mlq.jobs.past`). Pure.

A program that takes the whole card, as JAX and TensorFlow do unless told otherwise, shows how large
the card is and not what it needs. So a peak of nearly all of a GPU's memory is not learned. A job
that did need it gets a whole GPU next time, too, for nothing else is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlq.jobs.past import Run
from mlq.jobs.placement import IDLE_GPU_SHARE, GpuOffer
from mlq_worker.agent.attempt_result import AttemptResult


class Cards(NamedTuple):
    """The GPUs that an attempt was given: how many, their model, and the memory of each."""

    number: int = 0
    model: str = ""
    total_mib: int = 0

    @classmethod
    def of(cls, gpus: Sequence[GpuOffer]) -> Cards:
        """Return these GPUs; of the smallest if they differ."""
        if not gpus:
            return cls()
        return cls(len(gpus), gpus[0].name, min(one.total_mib for one in gpus))


def lesson(result: AttemptResult, params: str, cards: Cards) -> str:
    """Return the line to keep of an attempt; "" if it teaches nothing.

    Args:
        result: how it ended.
        params: the digest of its parameters (`mlq.jobs.past.params_of`); "" if unknown.
        cards: the GPUs it was given.
    """
    if not params or result.outcome != "exited" or result.exit_code != 0:
        return ""
    used = result.peaks
    mem_mib = max(used.mem_mib or 0, result.max_rss_mib or 0)
    vram_mib = math.ceil((used.vram_mib or 0) / cards.number) if cards.number else 0
    if vram_mib >= cards.total_mib * IDLE_GPU_SHARE:
        vram_mib = 0
    if not mem_mib and not vram_mib:
        return ""
    return Run(params, mem_mib, vram_mib, cards.model).as_text()
