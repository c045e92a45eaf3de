"""What a machine last said of itself, typed: what is free, what is missing, whether it takes jobs.

`mlq.machines.said` reads it from the record that a worker publishes. The worker uses it to learn
what other machines could run, and `mlq.jobs.explain` to learn why a job does not start there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mlq.jobs.placement import Fit, Offer, place
from mlq.jobs.request import Request

FRESH_S = 60.0
"""Seconds; a machine may by now have again what it lacked longer ago than this."""


class Lack(NamedTuple):
    """Something that jobs did not find on a machine.

    Args:
        word: the word for what is missing (`mlq.jobs.needs`).
        reason: what happened, for people.
        missed_s_ago: how long before the record a job last missed it.
    """

    word: str
    reason: str = ""
    missed_s_ago: float = 0.0


class Promised(NamedTuple):
    """What the mlq of another user was promised on a machine, or another queue of this user.

    `vram_mib` is the most that it was promised on any GPU.
    """

    user: str
    cores: int = 0
    mem_mib: int = 0
    vram_mib: int = 0


class OthersLoad(NamedTuple):
    """The cores that processes outside the queue keep busy, in all and by user ("": our own).

    `promised`: what others' mlq was promised, whether it uses it or not. `kept_cores` and
    `kept_mem_mib` are left free besides, since others are active.
    """

    cores: float = 0.0
    users: tuple[tuple[str, float], ...] = ()
    promised: tuple[Promised, ...] = ()
    kept_cores: int = 0
    kept_mem_mib: int = 0


NO_OTHERS = OthersLoad()


@dataclass(frozen=True, slots=True)
class MachineState:
    """What one machine last said.

    Args:
        offer: what it has free, and in total.
        heard_s: how long ago the queue heard it.
        takes_jobs: whether it takes jobs at all.
        note: why it does not, in its own words.
        lacks: what jobs did not find there.
        gpu_fault: why some or all of its GPUs are not on offer; "" if all are.
        gpu_note: how its GPUs are given out, if not in the usual way.
        others: what others use of it.
    """

    offer: Offer
    heard_s: float = 0.0
    takes_jobs: bool = True
    note: str = ""
    lacks: tuple[Lack, ...] = ()
    gpu_fault: str = ""
    gpu_note: str = ""
    others: OthersLoad = NO_OTHERS

    @property
    def machine(self) -> str:
        """The machine's name."""
        return self.offer.machine

    def is_heard(self, lease_s: float) -> bool:
        """Return whether the machine still counts as there."""
        return self.heard_s <= lease_s

    def lacked_just_now(self, word: str) -> bool:
        """Return whether a job missed this recently."""
        return any(
            one.word == word and one.missed_s_ago + self.heard_s <= FRESH_S for one in self.lacks
        )

    def could_run(self, request: Request, word: str) -> bool:
        """Return whether the machine could run a job that needs what the word stands for."""
        if self.lacked_just_now(word):
            return False
        return isinstance(place(request, self.offer.when_idle()), Fit)


def left_to_others(
    words: Iterable[str], request: Request, others: Iterable[MachineState]
) -> frozenset[str]:
    """Return which of the things that a machine lacks its jobs should find on another machine.

    If no other machine could offer a thing either, the machine tries the job itself.

    Args:
        words: for what is missing on the machine.
        request: what a job asks for.
        others: the other machines that the queue still hears from.
    """
    known = list(others)
    return frozenset(word for word in words if any(one.could_run(request, word) for one in known))
