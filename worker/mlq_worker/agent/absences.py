"""What jobs needed and did not find on this machine, which then avoids such jobs for a while.

A job whose folder, command or environment is missing here goes back to the queue, and the machine
claims none that need the same, as long as another machine could take them. It tries again after
growing pauses. Machines publish what they lack in their records. If no living machine has what a
job needs, any of them may try it; the job then fails with a reason that names them all. Pure: time
and records are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlq.jobs.machine_state import MachineState, left_to_others
from mlq.jobs.needs import word_of
from mlq.jobs.request import JobClass
from mlq.machines.said import state_of
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.ipc.causes import Cause, Kind

FIRST_S, GROWTH, LONGEST_S = 30.0, 2, 900.0
_LETTERS = {Kind.FOLDER: "f", Kind.ENVIRONMENT: "e", Kind.COMMAND: "c"}
_NAMED = 4  # the most machines that a reason names

Machines = Mapping[str, tuple[float, Mapping[str, Any]]]
"""Machine -> how long ago it was heard, and its record."""


@dataclass(slots=True)
class _Mark:
    """Something that is missing: when last, until when it counts, how long it counted last."""

    cause: Cause
    reason: str
    missed_s: float
    until_s: float
    pause_s: float = FIRST_S


class Absences:
    """What is missing on this machine, and on the others.

    Args:
        machine: this machine's name.
    """

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._marks: dict[str, _Mark] = {}
        self._others: list[MachineState] = []
        self._compared: frozenset[str] = frozenset()
        self._now_s = 0.0

    def see(self, ended: Iterable[LocalAttempt], now_s: float) -> None:
        """Mark what ended attempts did not find; unmark what an attempt has found since."""
        self._now_s = now_s
        for one in ended:
            word = _missing_word(one)
            if one.result is None:
                continue
            if word:
                self._miss(word, one.result)
            elif one.result.started_at:
                for found in one.needs.split():
                    self._marks.pop(found, None)

    def _miss(self, word: str, result: AttemptResult) -> None:
        mark = self._marks.get(word)
        if mark is None:
            until_s = self._now_s + FIRST_S
            self._marks[word] = _Mark(result.cause, result.reason, self._now_s, until_s)
            return
        mark.missed_s = self._now_s
        if not self._counts(mark):
            mark.pause_s = min(LONGEST_S, GROWTH * mark.pause_s)
            mark.until_s = self._now_s + mark.pause_s

    def _counts(self, mark: _Mark) -> bool:
        return self._now_s < mark.until_s

    @property
    def words(self) -> frozenset[str]:
        """The words of what is missing here now."""
        return frozenset(word for word, mark in self._marks.items() if self._counts(mark))

    @property
    def is_new(self) -> bool:
        """Whether something is missing that was not yet compared with the other machines."""
        return not self.words <= self._compared

    def compare(self, machines: Machines, lease_s: float) -> None:
        """Read what the other machines lack, after this machine has published what it lacks.

        In this order two machines that miss the same thing at once cannot both believe that the
        other one has it.

        Args:
            machines: what each machine last said.
            lease_s: a machine not heard for longer is not counted on.
        """
        self._others = [
            state_of(name, heard_s, record)
            for name, (heard_s, record) in sorted(machines.items())
            if name != self._machine and heard_s <= lease_s
        ]
        self._compared = self.words

    def to_leave(
        self, class_names: Iterable[str], default_mem_mib: int
    ) -> dict[str, frozenset[str]]:
        """Return, by class, the words of what its jobs must look for on another machine."""
        return {name: self._elsewhere(name, default_mem_mib) for name in class_names if self.words}

    def _elsewhere(self, class_name: str, default_mem_mib: int) -> frozenset[str]:
        request = JobClass.parse(class_name, default_mem_mib=default_mem_mib).request
        return left_to_others(self.words, request, self._others)

    def is_judged(self, ended: LocalAttempt) -> bool:
        """Return whether enough is known to decide what follows from an attempt's end."""
        return not _missing_word(ended) or _missing_word(ended) in self._compared

    def nowhere(self, ended: LocalAttempt) -> str:
        """Return a reason that says that no machine has what an attempt needs; "" if one may."""
        word = _missing_word(ended)
        if not word or ended.result is None or left_to_others([word], ended.request, self._others):
            return ""
        names = [self._machine, *(one.machine for one in self._others if one.lacked_just_now(word))]
        shown = names[:_NAMED] + ([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])
        listed_names = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
        return f"{ended.result.reason}, on {listed_names}"

    def as_json(self) -> list[dict[str, str | float]]:
        """Return what is missing here, in the form in which other machines read it."""
        return [
            {
                "word": word,
                **mark.cause.as_json(),
                "reason": mark.reason,
                "missed_s_ago": round(self._now_s - mark.missed_s, 1),
            }
            for word, mark in self._marks.items()
            if self._counts(mark)
        ]


def _missing_word(ended: LocalAttempt) -> str:
    letter = _LETTERS.get(ended.result.cause.kind) if ended.result is not None else None
    return word_of(ended.needs, letter) if letter else ""
