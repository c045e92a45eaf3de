"""What supervisor and launcher say to each other, as frozen values, and their JSON.

Each message names many attempts at once. The keys in JSON are a contract with processes of other
versions: a supervisor may start a newer launcher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.core_list import as_list, parse_list
from mlq_worker.ipc.messages import attempt_ids
from mlq_worker.ipc.values import Order, Result, Started, Termination, from_json, to_json


class Spawn(NamedTuple):
    """An order for the launcher.

    Args:
        order: the order.
        start_by: until when (boot time) it may still be started.
        cores: sets of cores, for as many jobs of its lane as run at once: it is pinned to one that
            none of them runs on. None: it is not pinned.
    """

    order: Order
    start_by: float
    cores: tuple[frozenset[int], ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """What the launcher must do: first learn why attempts end, last start others.

    Args:
        end: why these are ended.
        forget: results that the queue has, and that need not be written any more.
        record: results to write.
        spawn: orders to start.
        tidy: attempts whose jobs have ended for good: their copies of code can go.
    """

    end: tuple[Termination, ...] = ()
    forget: tuple[AttemptId, ...] = ()
    record: tuple[Result, ...] = ()
    spawn: tuple[Spawn, ...] = ()
    tidy: tuple[AttemptId, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent; empty if there is nothing to do."""
        raw: dict[str, list[Any]] = {
            "doom": [to_json(one) for one in self.end],
            "forget": list(self.forget),
            "record": [to_json(one) for one in self.record],
            "spawn": [_spawn_json(one) for one in self.spawn],
            "tidy": list(self.tidy),
        }
        return {name: items for name, items in raw.items() if items}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Commands:
        """Return what `to_json` made this of."""
        return cls(
            tuple(from_json(Termination, one) for one in raw.get("doom", ())),
            attempt_ids(raw.get("forget", ())),
            tuple(from_json(Result, one) for one in raw.get("record", ())),
            tuple(_spawn(*one) for one in raw.get("spawn", ())),
            attempt_ids(raw.get("tidy", ())),
        )


def _spawn_json(spawn: Spawn) -> list[Any]:
    raw = [to_json(spawn.order), spawn.start_by]
    return [*raw, [as_list(cores) for cores in spawn.cores]] if spawn.cores else raw


def _spawn(order: Any, start_by: float, cores: Sequence[str] = ()) -> Spawn:
    return Spawn(from_json(Order, order), start_by, tuple(parse_list(one) for one in cores))


class Wish(NamedTuple):
    """An attempt that asks to be queued again, and how many seconds after its start."""

    attempt: AttemptId
    asked_s: float


class Recorded(NamedTuple):
    """A result that is on NFS, or will not be soon (`is_written`).

    `last_line` is that of its log; `has_said`: whether it wrote to its log or its report.
    """

    attempt: AttemptId
    is_written: bool
    last_line: str = ""
    has_said: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What has become of attempts at the launcher.

    Args:
        started: these run.
        late: these were not started, since their time to start had passed.
        asked: these run and ask to be queued again.
        gone: no process of these is left.
        recorded: the results of these are dealt with.
    """

    started: tuple[Started, ...] = ()
    late: tuple[AttemptId, ...] = ()
    gone: tuple[Result, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    asked: tuple[Wish, ...] = ()

    def plus(self, more: News) -> News:
        """Return both together."""
        return News(
            self.started + more.started,
            self.late + more.late,
            self.gone + more.gone,
            self.recorded + more.recorded,
            self.asked + more.asked,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        lines = [[*one.attempt, one.last_line] for one in self.recorded if one.last_line]
        raw: dict[str, list[Any]] = {
            "asked": [[*one.attempt, one.asked_s] for one in self.asked],
            "started": [to_json(one) for one in self.started],
            "late": list(self.late),
            "gone": [to_json(one) for one in self.gone],
            "last_lines": lines,
            "said": [one.attempt for one in self.recorded if one.has_said],
            "stored": [one.attempt for one in self.recorded if one.is_written],
            "unwritten": [one.attempt for one in self.recorded if not one.is_written],
        }
        return {name: items for name, items in raw.items() if items}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> News:
        """Return what `to_json` made this of."""
        lines = {
            AttemptId(job_id, number): line for job_id, number, line in raw.get("last_lines", ())
        }
        said = frozenset(attempt_ids(raw.get("said", ())))
        recorded = [
            Recorded(attempt, is_written, lines.get(attempt, ""), attempt in said)
            for how, is_written in (("stored", True), ("unwritten", False))
            for attempt in attempt_ids(raw.get(how, ()))
        ]
        return cls(
            tuple(from_json(Started, one) for one in raw.get("started", ())),
            attempt_ids(raw.get("late", ())),
            tuple(from_json(Result, one) for one in raw.get("gone", ())),
            tuple(recorded),
            tuple(Wish(AttemptId(one[0], one[1]), one[2]) for one in raw.get("asked", ())),
        )
