"""Whether a job takes more memory than it asked for: pure.

What a user asks for with `--mem` and `--vram` is a limit. It is looked at once a second, so a job
may be a little over in one look and back in the next; it ends when it is over in two, or far over
in one. Invariant: only an exact figure ends a job, never a bound.
"""

from __future__ import annotations

from typing import NamedTuple

from mlq.units import rounded_mib
from mlq_worker.guest.watch import End
from mlq_worker.ipc.shortage import Shortage

OVER_MIB = 64
"""So much above its limit a job's main memory counts as over."""
FAR_OVER = 1.5
"""A job with so many times its limit ends at once."""
VRAM_SHARE, VRAM_OVER_MIB = 0.05, 512
"""Of its GPU memory a job may take so much more: CUDA itself needs some in each process."""


class Over(NamedTuple):
    """What a look showed of a job that has a limit.

    Args:
        is_over: whether it is over its limit.
        ends: whether it must end now.
    """

    is_over: bool
    ends: bool


def judged(limit_mib: int, held_mib: float, *, was_over: bool) -> Over:
    """Return what follows from a look at a job's main memory.

    Args:
        limit_mib: what it asked for.
        held_mib: what it holds, exactly.
        was_over: whether it was over in the look before.
    """
    is_over = held_mib >= limit_mib + OVER_MIB
    return Over(is_over, held_mib >= limit_mib * FAR_OVER or (is_over and was_over))


def vram_judged(limit_mib: int, held_mib: float, *, was_over: bool) -> Over:
    """Return what follows from a look at a job's memory on one GPU."""
    is_over = held_mib > limit_mib * (1 + VRAM_SHARE) + VRAM_OVER_MIB
    return Over(is_over, is_over and was_over)


def reason(limit_mib: int, held_mib: float, *, of_gpu: bool = False) -> str:
    """Return why a job ends that took more than it asked for."""
    what = "GPU memory" if of_gpu else "memory"
    held, limit = rounded_mib(round(held_mib)), rounded_mib(limit_mib)
    return f"took {held} of the {limit} of {what} it asked for"


def end(limit_mib: int, held_mib: float) -> End:
    """Return the end of a job that took more main memory than it asked for.

    Without a grace, as when the kernel holds the limit: what takes memory that fast leaves none.
    """
    shortage = Shortage(of_gpu=False, used_mib=round(held_mib))
    return End("overstepped", reason(limit_mib, held_mib), 0.0, shortage)
