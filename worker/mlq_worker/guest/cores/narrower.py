"""A thread that pins itself more narrowly than its job keeps that: pure.

Programs bind their threads to cores of the mask that they see at their start. A squeeze takes such
cores away, and gives them back later; then the thread gets its own choice back. A thread that
widens its mask chooses nothing: it gets what its job has.
"""

from __future__ import annotations

from typing import NamedTuple

from mlq_worker.guest.cores.cores import Cores


class Overruled(NamedTuple):
    """A choice that a thread cannot have now.

    Args:
        given: what it got instead.
        choice: what it had chosen.
    """

    given: Cores
    choice: Cores


def next_mask(
    mask: Cores, before: Cores, now: Cores, overruled: Overruled | None = None
) -> tuple[Cores, Overruled | None]:
    """Return the mask that a thread gets, and what of its choice is to be remembered.

    Args:
        mask: what it has.
        before: what its job had at the last look.
        now: what its job has from now on.
        overruled: what was remembered of it.
    """
    if overruled is not None and mask == overruled.given:
        choice = overruled.choice
    elif mask == before or not mask <= before:
        return now, None
    else:
        choice = mask
    given = choice & now or now
    return given, None if given == choice else Overruled(given, choice)
