"""A sweep before the queue hears of it: its members, in their order.

Pure. How it is made of what a user types is in the other modules of this room; what becomes of its
members in the queue is in `mlq.api.sweeps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class PlannedMember(NamedTuple):
    """One member.

    Args:
        params: its parameters as typed, in the order in which they were given.
        argv: its command, everything filled in.
        key: the digest by which the sweep knows it again.
    """

    params: Mapping[str, str]
    argv: tuple[str, ...]
    key: str


class SweepPlan(NamedTuple):
    """All members of one sweep; no two have the same key.

    Args:
        name: of the sweep: the set that its members belong to.
        members: in the order in which they are enqueued.
        varying: the names of the parameters of which there is more than one value.
    """

    name: str
    members: tuple[PlannedMember, ...]
    varying: tuple[str, ...]
