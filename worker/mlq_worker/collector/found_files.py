"""Reads the files that other libraries leave in a job's folders, each from where it was left.

Only files that were written since the attempt began count for it: the code of a job is copied with
what its user's own runs left in it, and `output` and `checkpoint` hold what earlier attempts wrote.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from mlq.files.strict_files import MIB, Content, read_file
from mlq.metrics.series import Point, before_steps, first_steps
from mlq_worker.collector import kept_state as kept
from mlq_worker.collector.appended import Mark, lines_of, mark_of, read_appended
from mlq_worker.collector.finding import MOST_FILES, FoundFile, find_files
from mlq_worker.collector.sources.events import EventReader
from mlq_worker.collector.sources.summary import parse_summary
from mlq_worker.collector.sources.tables import Table
from mlq_worker.collector.sources.trainer_state import (
    TrainerState,
    in_common,
    parse_trainer_state,
    points_after,
)

_LEAST_GAP_S, _LARGEST_GAP_S = 50.0, 600.0  # between two walks
_ENTRIES_A_SECOND = 50
_AGAIN_S = 5.0  # the last look has several turns
_LARGEST_STATE = 32 * MIB
_PIECE = MIB
_A_LOOK = 8 * MIB
_SKEW_S = 60.0  # of the clock that stamped an event
_VERSIONS = re.compile(r"(.*/version_)\d+/[^/]+")
_TIME = re.compile(r"\d{9,11}\.\d+")
_SPLIT_FOLDERS = frozenset(
    ("train", "training", "val", "valid", "validation", "eval", "evaluation", "test", "testing")
)


class Told(NamedTuple):
    """What the files say: the points of each kind.

    `again` has the metrics that a later version of a table tells anew, each with the step from
    which on it does. What earlier versions told of them from there on counts no more. `is_behind`:
    whether there is more to read.
    """

    tables: list[Point]
    events: list[Point]
    states: list[Point]
    summaries: list[Point]
    again: dict[str, float]
    is_behind: bool


class FoundFiles:
    """The files of one attempt.

    Args:
        folder: the job's. looked_in: the folders in it in which files are looked for.
        started_s: when the attempt began, unix time.
        state: what `state` returned, of a reader that goes on where an earlier one stopped.

    Raises:
        ValueError: the state is none.
    """

    def __init__(
        self, folder: str, looked_in: list[str], started_s: float, state: dict[str, Any]
    ) -> None:
        self._folder, self._looked_in, self._started_s = folder, looked_in, started_s
        self._walk_s = kept.number(state.get("walk_s", 0.0))
        marks, tables = (kept.by_name(state.get(name, {})) for name in ("marks", "tables"))
        self._marks = {path: mark_of(raw) for path, raw in marks.items()}
        self._tables = {path: _restored_table(raw) for path, raw in tables.items()}
        self._broken = set(kept.texts(state.get("broken", [])))
        self._summary = kept.whole(state.get("summary", 0))
        self._trainer = kept.values(state.get("trainer", []))
        self._history = kept.whole(state.get("history", -1))
        step, total = map(kept.number_or_unknown, kept.values(state.get("trained", [None] * 2), 2))
        self.trained = step, total
        self._files: list[FoundFile] | None = None
        self._ended_s: float | None = None
        self._old_states: list[FoundFile] = []
        self._shorter = set[str]()
        self._readers: dict[str, EventReader] = {}

    def state(self) -> dict[str, Any]:
        """Return how far all files were read, as JSON can hold it."""
        return {
            "walk_s": self._walk_s,
            "marks": {path: list(mark) for path, mark in self._marks.items()},
            "tables": {path: [one.columns, one.rows] for path, one in self._tables.items()},
            "broken": sorted(self._broken),
            "summary": self._summary,
            "trainer": self._trainer,
            "history": self._history,
            "trained": list(self.trained),
        }

    def read(self, now_s: float, *, is_last: bool) -> Told:
        """Return what was written since the last look."""
        self._walk(now_s, is_last)
        files = self._files or []
        budget = _A_LOOK
        tables, events, states, summaries = list[Point](), list[Point](), list[Point](), []
        again: dict[str, float] = {}
        for one in files:
            if one.kind == "table":
                known = frozenset(self._tables.get(one.path, Table()).columns)
                new = list[Point]()
                budget -= self._read_table(one.path, budget, new, is_last=is_last)
                anew = self._told_anew(one.path, known, new)
                tables = before_steps(tables, anew) + new
                again |= {name: min(anew[name], again.get(name, anew[name])) for name in anew}
            elif one.kind == "events" and one.path not in self._broken:
                named = self._namer(one.path)
                budget -= self._read_events(one.path, budget, events, named)
        states = self._read_state(_newest(files, "state"))
        summaries = self._read_summary(_newest(files, "summary"))
        return Told(tables, events, states, summaries, again, budget <= 0)

    def _walk(self, now_s: float, is_last: bool) -> None:
        if self._files is not None:
            if is_last and self._ended_s is not None and now_s - self._ended_s < _AGAIN_S:
                return
            if not is_last and now_s < self._walk_s:
                return
        if is_last:  # much is written just before the end, so a walk before it does not count
            self._ended_s = now_s
        found, entries = find_files(self._looked_in)
        self._walk_s = now_s + min(max(_LEAST_GAP_S, entries / _ENTRIES_A_SECOND), _LARGEST_GAP_S)
        new = [one for one in found if one.written_s >= self._started_s]
        newest = sorted(new, key=lambda one: one.written_s)[-MOST_FILES:]
        self._files = [one for one in new if one in newest]
        self._old_states = [one for one in found if one.kind == "state" and one not in new]
        paths = {one.path for one in self._files}
        self._marks = {path: mark for path, mark in self._marks.items() if path in paths}
        self._tables = {path: one for path, one in self._tables.items() if path in paths}
        self._readers = {path: one for path, one in self._readers.items() if path in paths}

    def _told_anew(self, path: str, known: frozenset[str], new: list[Point]) -> dict[str, float]:
        """Return the first steps of the metrics that a later version of a table has first now.

        A script that trains twice has two versions, `version_0` and `version_1`.

        Args:
            path: of the table.
            known: its columns before.
            new: its new points.
        """
        family = _VERSIONS.fullmatch(path)
        if family is None or not any(
            one.rows and other != path and other.startswith(family[1])
            for other, one in self._tables.items()
        ):
            return {}
        return {name: step for name, step in first_steps(new).items() if name not in known}

    def _read_table(self, path: str, budget: int, points: list[Point], *, is_last: bool) -> int:
        """Append the new points of a table; return how many bytes were read."""
        read = 0
        table = self._tables.setdefault(path, Table())
        while read < budget:
            mark = self._marks.get(path, Mark())
            piece = read_appended(self._folder, path, mark, _PIECE)
            if piece is None:
                break
            is_shorter = piece.is_anew and piece.size < mark.offset
            if is_shorter and path not in self._shorter and not is_last:
                self._shorter.add(path)  # perhaps it is just being written anew
                break
            self._shorter.discard(path)
            if piece.is_anew and mark.inode:
                table.written_anew(is_longer=piece.size >= mark.offset)
            lines = lines_of(piece, is_last=is_last)
            self._marks[path] = lines.mark
            points += table.read(lines.lines)
            read += len(piece.data)
            if piece.is_end or lines.mark == mark:
                break
        return read

    def _read_events(
        self, path: str, budget: int, points: list[Point], named: Callable[[str], str]
    ) -> int:
        """Append the new points of an event file; return how many bytes were read."""
        read, oldest_s = 0, self._started_s - _SKEW_S
        while read < budget:
            mark = self._marks.get(path, Mark())
            piece = read_appended(self._folder, path, mark, _PIECE)
            if piece is None:
                break
            if piece.is_anew:
                self._readers[path] = EventReader()
            found = self._readers.setdefault(path, EventReader()).read(piece.data)
            used = found.used
            if not used and found.cut_bytes > len(piece.data) >= _PIECE:
                used = found.cut_bytes  # a picture or a graph
            self._marks[path] = piece.mark._replace(offset=piece.mark.offset + used)
            points += [
                Point(one.step, one.at_s, {named(tag): one.values[tag] for tag in one.values})
                for one in found.points
                if one.at_s >= oldest_s
            ]
            read += len(piece.data)
            if found.is_broken:
                self._broken.add(path)
            if found.is_broken or piece.is_end or not used:
                break
        return read

    def _namer(self, path: str) -> Callable[[str], str]:
        """Return what makes a metric's name of a tag of an event file.

        Keras writes the same tags into `train` and `validation`. `add_scalars` writes one tag into
        several folders: PyTorch's into `loss_train` below that of all others, tensorboardX's into
        `loss/train`. PyTorch's `add_hparams` names its folder by the time, which is left out.
        """
        folder = os.path.dirname(path)  # noqa: PTH120 - a text of a text
        above, _, name = folder.rpartition("/")
        is_below = any(
            one.kind == "events" and one.path.rpartition("/")[0] == above
            for one in self._files or ()
        )
        is_split = (is_below and not _TIME.fullmatch(name)) or name.lower() in _SPLIT_FOLDERS

        def named(tag: str) -> str:
            of_tag = tag.replace("/", "_")
            if is_below and name.startswith(f"{of_tag}_"):
                return f"{tag}/{name[len(of_tag) + 1 :]}"
            if above.endswith(f"/{of_tag}"):
                return f"{tag}/{name}"
            return f"{name}/{tag}" if is_split else tag

        return named

    def _read_state(self, file: FoundFile | None) -> list[Point]:
        """Return the new points of the newest checkpoint's state."""
        stamp = None if file is None else [file.path, file.inode, file.size, file.written_s]
        if file is None or stamp == self._trainer:
            return []
        state = self._parsed(file)
        if state is None:
            return []
        self._trainer = list(stamp or ())
        if self._history < 0:  # what the attempt took over from the checkpoint that it began with
            old = _newest(self._old_states, "state")
            earlier = None if old is None else self._parsed(old)
            self._history = 0 if earlier is None else in_common(earlier, state)
        if len(state.history) < self._history:
            self._history = 0  # another training
        points = points_after(state, self._history)
        self._history = len(state.history)
        self.trained = state.step, state.total
        return points

    def _parsed(self, file: FoundFile) -> TrainerState | None:
        found = read_file(self._folder, file.path, _LARGEST_STATE)
        return parse_trainer_state(found.data) if isinstance(found, Content) else None

    def _read_summary(self, file: FoundFile | None) -> list[Point]:
        """Return the last values, if they have changed."""
        found = None if file is None else read_file(self._folder, file.path, MIB)
        if not isinstance(found, Content):
            return []
        digest = zlib.crc32(found.data)
        if digest == self._summary:
            return []
        self._summary = digest
        point = parse_summary(found.data)
        return [] if point is None else [point]


def _restored_table(raw: object) -> Table:
    columns, rows = kept.values(raw, 2)
    return Table(kept.texts(columns), kept.whole(rows))


def _newest(files: list[FoundFile], kind: str) -> FoundFile | None:
    of_kind = [one for one in files if one.kind == kind]
    return max(of_kind, key=lambda one: one.written_s) if of_kind else None
