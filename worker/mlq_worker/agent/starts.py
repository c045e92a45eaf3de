"""How jobs start, and which is to blame if they do not: the command, or this machine. Pure.

A start is bad if the attempt ended badly within seconds, good if it ended well or lived longer. Bad
starts have two consequences, by rules that a user can check in `mlq ls`:

* If the same command fails at its start in several different jobs in a row, on two machines or on
  all there are, it is held: the same typo would fail every waiting job.
* If several different jobs in a row fail at their start on this machine, and another machine's last
  start was good or it runs the same command now, this machine is set aside. Commands that also fail
  elsewhere do not count. The jobs may be members of one sweep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mlq.jobs.request import Request
from mlq.units import parse_iso
from mlq_worker.agent.attempt_result import UNUSABLE, AttemptResult
from mlq_worker.agent.diagnosis import diagnose
from mlq_worker.ipc.causes import Kind

START_S = 20.0
# How many different jobs in a row; more for a command that has also started well lately, since then
# the parameters may be at fault.
ROW, LONG_ROW = 3, 5
_FAILURES = frozenset({"exited", "signaled", "unstartable", UNUSABLE})


class Start(NamedTuple):
    """One start of a command."""

    machine: str
    good: bool
    job_id: str

    @classmethod
    def parse(cls, text: str) -> Start:
        """Read what `note_start` wrote."""
        machine, how, job_id = text.split(" ", 2)
        return cls(machine, how == "good", job_id)


class OwnStart(NamedTuple):
    """A bad start on this machine: the job, the word of its command, and how it ended."""

    job_id: str
    word: str
    reason: str


class Seen(NamedTuple):
    """What the queue knows of starts.

    Args:
        starts: the last starts of some commands, by word, the newest first.
        last: whether the last start of each machine was good.
        living: the machines that the queue has heard from lately.
        running: those of them that run the command now, by word.
    """

    starts: Mapping[str, Sequence[Start]]
    last: Mapping[str, bool]
    living: Collection[str]
    running: Mapping[str, Collection[str]] = MappingProxyType({})

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Seen:
        """Read the reply of `Store.starts`."""
        starts = {
            word: [Start.parse(one) for one in entries or ()]
            for word, entries in dict(told["starts"] or {}).items()
        }
        last = {name: how == "good" for name, how in dict(told["last"] or {}).items()}
        running = {word: tuple(names) for word, names in dict(told["running"] or {}).items()}
        return cls(starts, last, tuple(told["living"] or ()), running)


def how_it_started(result: AttemptResult) -> str:
    """Return "good" or "bad"; "" if the end says nothing about the start."""
    if result.outcome not in _FAILURES or result.cause.kind is not Kind.NONE:
        return ""
    if result.shortage is not None:
        return ""  # neither its command nor its machine is broken
    if result.outcome == "exited" and result.exit_code == 0:
        return "good"
    return "bad" if _was_short(result) else "good"


def was_crowded(result: AttemptResult, request: Request) -> bool:
    """Return whether an attempt failed at its start since others on this machine had its memory.

    That tells nothing of its command. But a machine that does so again and again, as when a dead
    program still holds a GPU, must not go on taking jobs.
    """
    shortage = result.shortage
    if shortage is None or not _was_short(result):
        return False
    return not diagnose(result, shortage, request).is_own_fault


def _was_short(result: AttemptResult) -> bool:
    if not result.started_at:
        return True
    return parse_iso(result.ended_at) - parse_iso(result.started_at) < START_S


def command_fails(
    starts: Sequence[Start], living: Collection[str], running: Collection[str] = ()
) -> tuple[Start, ...]:
    """Return the bad starts in a row for which a command must be held; none if it need not be.

    Args:
        starts: the last starts of the command, the newest first.
        living: the machines that the queue has heard from lately.
        running: those that run the command now.
    """
    row: list[Start] = []
    for start in starts:
        if start.good:
            break
        row.append(start)
    jobs, machines = {one.job_id for one in row}, {one.machine for one in row}
    well = {one.machine for one in starts if one.good}
    widely = len(machines) > 1 or machines >= set(living)
    if len(jobs) >= (LONG_ROW if well else ROW) and (
        widely or (len(jobs) >= LONG_ROW and well <= machines and set(running) <= machines)
    ):
        return tuple(row)
    return ()


def machine_fails(row: Sequence[OwnStart], machine: str, seen: Seen) -> bool:
    """Return whether this machine must be set aside.

    Args:
        row: its bad starts in a row, the newest last.
        machine: its name.
        seen: what the queue knows.
    """
    own = [one for one in row if not fails_elsewhere(one.word, machine, seen)]
    well = {one for one in seen.living if seen.last.get(one)}
    running = {name for one in own for name in seen.running.get(one.word, ())}
    return len({one.job_id for one in own}) >= ROW and bool((well | running) - {machine})


def fails_elsewhere(word: str, machine: str, seen: Seen) -> bool:
    """Return whether the last start of a command on another machine was bad."""
    newest: dict[str, bool] = {}
    for start in seen.starts.get(word, ()):
        newest.setdefault(start.machine, start.good)
    return any(not good for name, good in newest.items() if name != machine)
