"""A sweep before the queue hears of it: its members, in their order.

Pure. The other modules of this folder make it from what a user types; `mlq.api.sweeps` enqueues its
members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class PlannedMember(NamedTuple):
    """One member.

    Args:
        params: its parameters as typed, in the order in which they were given.
        argv: its command, everything filled in.
        key: the digest by which the sweep recognizes it.
        drawn: what a search drew for it, if that is not what `params` says.
        task: its number in an array, which is the index of its job; None in any other sweep.
    """

    params: Mapping[str, str]
    argv: tuple[str, ...]
    key: str
    drawn: Mapping[str, str] = {}
    task: int | None = None


class SweepPlan(NamedTuple):
    """All members of one sweep; no two have the same key.

    Args:
        name: of the sweep: the set that its members belong to.
        members: in the order in which they are enqueued.
        varying: the names of the parameters with more than one value.
    """

    name: str
    members: tuple[PlannedMember, ...]
    varying: tuple[str, ...]

    @property
    def is_array(self) -> bool:
        """Whether its members are known by task numbers."""
        return any(one.task is not None for one in self.members)
