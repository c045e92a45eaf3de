"""Sweeps and jobs as one list: each sweep with its running or all members below, then single jobs.

What `mlq ls` says of a job or a sweep is said here by the same functions. The list has an end
however many jobs wait: of what waits and of what ended only the first are lines of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from mlq.jobs.lifecycle import ENDED, HELD, WAITING, State
from mlq.jobs.view import JobView
from mlq.lenient import list_or_empty
from mlq.search.note import read_note
from mlq.store.reads import SweepSeen
from mlq_cli.filtering import ordered
from mlq_cli.render.jobs import asks, done_of, remark, seconds_of, state_of
from mlq_cli.render.style import kind_of
from mlq_cli.render.sweeps import left_s, progress_of, rounded_s
from mlq_cli.render.table import Cell, Column
from mlq_cli.render.words import elapsed
from mlq_cli.top.bars import share_bar, states_bar
from mlq_cli.top.lines import Field, Line, Row, grid, line
from mlq_cli.top.snapshot import Snapshot

WAITING_SHOWN, ENDED_SHOWN = 200, 50
CLOSED, RUNNING, ALL = 0, 1, 2
"""How far a sweep is open: itself alone, with the members that run, with all members."""

SORTS = ("line", "id", "name", "state", "machine", "time", "done")
"""`line`: what runs, what waits in its order, what ended, the latest first."""

_BAR, _SHORT_BAR, _WIDE = 12, 8, 100
_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("NAME", 95, least=10),
    Column("", 96),
    Column("DONE", 90, right=True),
    Column("TIME", 80, right=True),
    Column("LEFT", 85, right=True),
    Column("MACHINE", 75, least=7),
    Column("ASKS", 40),
    Column("NOTE", 60, least=8),
)
_KIND_OF_SWEEP = {
    "running": "busy",
    HELD: "bad",
    "queued": "waiting",
    "failed": "bad",
    "done": "good",
    "canceled": "faint",
}


class Arranged(NamedTuple):
    """How the user wants the list.

    Args:
        opened: sweep -> how far it is open; `RUNNING` unless it is here.
        words: what a job must contain somewhere, in small letters; all of them.
        sort: one of `SORTS`.
    """

    opened: Mapping[int, int] = {}
    words: tuple[str, ...] = ()
    sort: str = SORTS[0]


def work_lines(seen: Snapshot, arranged: Arranged, now: datetime, width: int | None) -> list[Line]:
    """Return the list: headings first, then lines whose keys are ids of jobs, numbers of sweeps."""
    bar = _SHORT_BAR if width is not None and width < _WIDE else _BAR
    making = _Making(seen, arranged, now, bar)
    making.everything()
    lines = grid(_COLUMNS, making.rows, width)
    found = lines[:1]
    for at, one in enumerate([*lines[1:], Line(())]):
        if at in making.more:
            found.append(line(Cell(making.more[at], "faint")))
        if at < len(making.rows):
            found.append(one)
    return found


class _Making:
    """The rows of the list while they are made.

    Args:
        seen, arranged, now: see `work_lines`.
        bar: columns of a bar.

    `rows` are those so far, and `more` what is said before a row of this index.
    """

    def __init__(self, seen: Snapshot, arranged: Arranged, now: datetime, bar: int) -> None:
        self._seen, self._arranged, self._now, self._bar = seen, arranged, now, bar
        self.rows: list[Row] = []
        self.more: dict[int, str] = {}

    def everything(self) -> None:
        """Add all rows."""
        seen, words = self._seen, self._arranged.words
        jobs = [one for one in seen.jobs if _matches(_text_of(one), words)]
        self._sweeps(one for one in seen.sweeps if _is_active(one))
        over = [one for one in reversed(seen.sweeps) if not _is_active(one)]
        if self._arranged.sort != SORTS[0]:
            self._sweeps(over)
            beyond = seen.waiting_beyond() + seen.ended_beyond()
            self._jobs(_sorted(jobs, self._arranged.sort, self._now), beyond, "more")
            return
        unended = [one for one in jobs if one.state not in ENDED]
        unended.sort(key=lambda one: one.state != State.STARTED)
        self._jobs(unended, seen.waiting_beyond(), "more that wait")
        self._sweeps(over)
        ended = [one for one in jobs if one.state in ENDED]
        ended.sort(key=lambda one: one.ended_at or "", reverse=True)
        self._add(ended[:ENDED_SHOWN])
        left = len(ended[ENDED_SHOWN:]) + seen.ended_beyond()
        self._say(left, "  … and {:,} more that ended in the last 24 hours: mlq ls -a")

    def _jobs(self, jobs: Sequence[JobView], beyond: int, what: str) -> None:
        waiting = [one.id for one in jobs if one.state in WAITING]
        dropped = set(waiting[WAITING_SHOWN:])
        self._add([one for one in jobs if one.id not in dropped])
        self._say(len(dropped) + beyond, f"  … and {{:,}} {what}: mlq ls -a")

    def _sweeps(self, sweeps: Iterable[SweepSeen]) -> None:
        for sweep in sweeps:
            level = self._arranged.opened.get(sweep.number, RUNNING)
            members = [] if level == CLOSED else _members(self._seen, sweep, level)
            words = self._arranged.words
            own = _matches(f"{sweep.number} {sweep.name} {_word_of(sweep)}", words)
            shown = members if own else [one for one in members if _matches(_text_of(one), words)]
            if not own and not shown:
                continue
            self.rows.append(_sweep_row(sweep, self._bar, is_open=bool(members)))
            if self._arranged.sort != SORTS[0]:
                shown = _sorted(shown, self._arranged.sort, self._now)
            self._add(shown, _varying(sweep, members))
            if level == ALL and own:
                left = sweep.members - len(members)
                self._say(left, f"    … and {{:,}} more members: mlq ls {sweep.number}")

    def _add(self, jobs: Iterable[JobView], varying: Sequence[str] = ()) -> None:
        self.rows += [_job_row(one, self._now, self._bar, varying) for one in jobs]

    def _say(self, number: int, text: str) -> None:
        if number > 0:
            self.more[len(self.rows)] = text.format(number)


def _members(seen: Snapshot, sweep: SweepSeen, level: int) -> list[JobView]:
    if level == ALL and sweep.number in seen.opened:
        return seen.opened[sweep.number]
    return [one for one in seen.running if one.sweep == sweep.number]


def _varying(sweep: SweepSeen, members: Sequence[JobView]) -> list[str]:
    names = [one for one in list_or_empty(sweep.varying) if isinstance(one, str)]
    return names or list(dict.fromkeys(name for one in members for name in one.params))


def _is_active(sweep: SweepSeen) -> bool:
    progress = progress_of(sweep)
    return bool(progress["running"] or progress["queued"] or progress[HELD])


def _word_of(sweep: SweepSeen) -> str:
    progress = progress_of(sweep)
    return next((one for one in _KIND_OF_SWEEP if progress[one]), "")


def _sweep_row(sweep: SweepSeen, bar: int, *, is_open: bool) -> Row:
    progress = progress_of(sweep)
    word, left = _word_of(sweep), left_s(sweep)
    return Row(
        str(sweep.number),
        (
            (Cell("▾ " if is_open else "▸ ", "faint"), Cell(str(sweep.number), "strong")),
            (Cell(word, _KIND_OF_SWEEP.get(word, "")),),
            (Cell(sweep.name, "strong"),),
            states_bar(progress, bar),
            (Cell(f"{progress['done']}/{_size(sweep)}"),),
            (),
            (Cell("" if left is None else f"~{elapsed(rounded_s(left))}"),),
            (),
            (),
            _sweep_note(sweep, progress),
        ),
    )


def _size(sweep: SweepSeen) -> int:
    """Return how many members a sweep has; a search, how many it makes."""
    search = read_note(sweep.search)
    return sweep.members if search is None else search.of


def _sweep_note(sweep: SweepSeen, progress: Mapping[str, int]) -> Field:
    parts = []
    for word in ("failed", "running", "queued", HELD, "canceled"):
        if number := progress[word]:
            kind = _KIND_OF_SWEEP[word] if word in {"failed", HELD} else "faint"
            parts += [Cell(", ", "faint"), Cell(f"{number} {word}", kind)]
    why = [Cell(f": {sweep.held}", "bad")] if sweep.held else []
    return (*parts[1:], *why)


def _job_row(job: JobView, now: datetime, bar: int, varying: Sequence[str]) -> Row:
    started, waits = job.state == State.STARTED, job.state in WAITING
    word = state_of(job)
    left = "" if job.left_s is None else elapsed(job.left_s)
    return Row(
        job.id,
        (
            (Cell("    " if job.sweep else "  "), Cell(job.id, "strong" if started else "")),
            (Cell(word, kind_of(word)),),
            _name(job, varying),
            _bar(job, bar) if started else (),
            (Cell(done_of(job), "" if job.progress is not None else "faint"),) if started else (),
            (Cell(elapsed(seconds_of(job, now)), "faint" if waits else ""),),
            (Cell(left),),
            (Cell("" if waits else job.machine or ""),),
            (Cell(asks(job), "faint"),),
            (remark(job),),
        ),
    )


def _name(job: JobView, varying: Iterable[str]) -> Field:
    told = " ".join(f"{name}={job.params[name]}" for name in varying if name in job.params)
    if told:
        return (Cell(told),)
    return (Cell(job.name),) if job.name else (Cell(job.command, "faint"),)


def _bar(job: JobView, width: int) -> Field:
    if job.progress is not None:
        return share_bar(job.progress, width, "busy")
    return share_bar(job.inner, width, "faint") if job.inner is not None else ()


def _sorted(jobs: Sequence[JobView], sort: str, now: datetime) -> list[JobView]:
    if sort == "done":
        return sorted(jobs, key=lambda one: 1.0 if one.progress is None else -one.progress)
    return ordered(jobs, sort, now.timestamp(), reverse=sort == "time")


def _text_of(job: JobView) -> str:
    params = " ".join(f"{name}={value}" for name, value in job.params.items())
    words = (job.id, job.name, state_of(job), job.machine or "", params, job.command, job.reason)
    return " ".join(words)


def _matches(text: str, words: Sequence[str]) -> bool:
    if not words:
        return True
    small = text.casefold()
    return all(word in small for word in words)
