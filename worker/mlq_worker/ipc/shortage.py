"""That an attempt ended because memory ran out, as a value of its result.

The launcher finds it out (`mlq_worker.launcher.out_of_memory`), and the worker decides whether the
job or a neighbour had taken too much. A supervisor of another version may send none, or other
fields: what cannot be read counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_MOST_MIB = 10**9


class Shortage(NamedTuple):
    """Memory that ran out.

    Args:
        of_gpu: whether it was memory of a GPU.
        used_mib: what the attempt had and wanted then, by its own message; 0 if that says nothing.
        card_mib: the memory of its GPU, by the same message; 0 likewise.
        killed: whether the kernel killed a process for it.
        others_mib: what others used of the machine's memory then; 0 if that is not known.
    """

    of_gpu: bool
    used_mib: int = 0
    card_mib: int = 0
    killed: bool = False
    others_mib: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it in the form of a result."""
        return self._asdict()


def parse_shortage(told: object) -> Shortage | None:
    """Return the shortage that a result names; None if it names none that can be read."""
    if not isinstance(told, Mapping) or not isinstance(told.get("of_gpu"), bool):
        return None
    figures = [told.get(name, 0) for name in ("used_mib", "card_mib", "others_mib")]
    if not all(type(one) is int and 0 <= one <= _MOST_MIB for one in figures):
        return None
    used_mib, card_mib, others_mib = figures
    return Shortage(told["of_gpu"], used_mib, card_mib, told.get("killed") is True, others_mib)
