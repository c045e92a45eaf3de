"""Which GPUs an allocation grants, from CUDA_VISIBLE_DEVICES: pure.

As in CUDA, the list ends at its first entry that is none: `0,-1,1` is GPU 0 alone. HTCondor writes
10000 where it grants none, Slurm `NoDevFiles`. Without the variable nothing was granted: an
allocation without GPUs on a machine that has some must leave them alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_GPUS = 256
_UUID = re.compile(r"GPU-[0-9a-fA-F-]{4,40}")


class Visible(NamedTuple):
    """Which GPUs may be offered.

    Args:
        selection: as `mlq worker start --gpus` takes it; a UUID may be only the beginning of one.
        reason: why GPUs were granted and none can be offered; "" otherwise.
    """

    selection: str
    reason: str = ""


def visible(text: str | None) -> Visible:
    """Return what a value of CUDA_VISIBLE_DEVICES grants; None: it is not set."""
    chosen: list[str] = []
    for part in (text or "").split(","):
        entry = part.strip()
        if entry.startswith("MIG-"):
            return Visible(
                "none",
                "the allocation grants an instance of a GPU (MIG), which mlq cannot hand out",
            )
        is_index = entry.isdecimal() and int(entry) < MOST_GPUS
        if not is_index and not _UUID.fullmatch(entry):
            break
        chosen.append(entry)
    return Visible(",".join(dict.fromkeys(chosen)) or "none")
