"""What the queue keeps of a search beside its members, so that people see that it is one.

`mlq ls` reads it, so nothing is imported here that takes time. No driver reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlq.lenient import dict_or_empty, int_or

PRUNED = "pruned at "
"""The reason of a member that a search stopped begins with this."""


class Note(NamedTuple):
    """What is kept with a sweep that is a search.

    Args:
        of: how many members it makes.
        goal: what it aims at: `minimize val_loss`.
        prune: how members are pruned; "" if they are not.
        space: what each parameter may be, as a person types it; none if a function says it.
    """

    of: int
    goal: str = ""
    prune: str = ""
    space: Mapping[str, str] = {}


def read_note(text: str) -> Note | None:
    """Return what is kept with a sweep; None if it is no search."""
    raw = dict_or_empty(text) if text else {}
    of, space = int_or(raw.get("of")), raw.get("space")
    if of < 1:
        return None
    values = space if isinstance(space, dict) else {}
    return Note(of, str(raw.get("goal", "")), str(raw.get("prune", "")), values)
