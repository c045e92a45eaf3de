"""Reads what one running attempt says of itself: its metrics, and how far it is.

Many files may tell the same: `owners.py` decides from which of them a metric is taken. Of the ways
to tell how far the job is, its own report comes first, then its outermost bar, then what a Trainer
saved, then `Epoch 3/60`.

Nothing that is in a file raises, and each look takes bounded time and memory: what is more waits
for the next one. A log and a report may grow by `_STEADY_BYTES_S` for ever, and by `_BURST` at
once; of what grows faster only the end is read, so that no job keeps the collector from others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlq.files.layout import JobFolder
from mlq.files.strict_files import KIB, MIB
from mlq.metrics.advance import Advance
from mlq.metrics.series import Point
from mlq_worker.collector import kept_state as kept
from mlq_worker.collector.appended import Mark, Piece, lines_of, mark_of, read_appended
from mlq_worker.collector.found_files import FoundFiles
from mlq_worker.collector.loops import Loop, Loops
from mlq_worker.collector.owners import ALL_OF_IT, SOURCES, Owners
from mlq_worker.collector.pace import Pace
from mlq_worker.collector.patterns import usable_patterns
from mlq_worker.collector.sources.counters import counts_in
from mlq_worker.collector.sources.logged import Logged, read_logged
from mlq_worker.collector.sources.reports import Reported, read_reports
from mlq_worker.collector.thinning import thinned

_A_LOOK = 2 * MIB
_STEADY_BYTES_S, _BURST = 64 * KIB, 128 * MIB
_BARS_TAIL = 64 * KIB
_SKEW_S = 60.0


class Watched(NamedTuple):
    """An attempt whose files are read.

    Args:
        id, attempt: which one. folder: the job's, absolute.
        patterns: name and regex of each `--metric`.
        started_s: when its process started, after its code was copied; unix time, 0 if unknown.
    """

    id: str
    attempt: int
    folder: str
    patterns: tuple[tuple[str, str], ...]
    started_s: float


class Reading(NamedTuple):
    """What one look found.

    Args:
        points: new ones, in the order of their times. advance: how far the job is.
        again: metrics that are told anew, each with the step from which on what was told before
            counts no more.
        is_behind: whether there is more to read.
    """

    points: list[Point]
    advance: Advance
    again: Mapping[str, float] = MappingProxyType({})
    is_behind: bool = False


class JobReader:
    """Reads the files of one attempt, at each look only what was appended since the one before.

    Args:
        watched: the attempt.
        state: what `state` returned, of a reader that goes on where an earlier one stopped. What
            is no such state counts as none.
    """

    def __init__(self, watched: Watched, state: dict[str, Any] | None = None) -> None:
        self._watched = watched
        self._patterns = usable_patterns(watched.patterns)
        self._is_behind = False
        try:
            self._restore(kept.by_name(state or {}))
        except ValueError:
            self._restore({})

    def _restore(self, state: dict[str, Any]) -> None:
        started_s, folder = self._watched.started_s, JobFolder(self._watched.folder)
        self._looked_s = kept.number(state.get("looked_s", started_s))
        self._allowed = kept.number(state.get("allowed", _BURST))
        self._owners = Owners(kept.by_name(state.get("owners", {})))
        self._report_mark = mark_of(state.get("report_mark"))
        reported = kept.values(state.get("reported", [None] * 4), 4)
        self._reported = Reported(*map(kept.number_or_unknown, reported))
        self._log_mark = mark_of(state.get("log_mark"))
        self._epoch = kept.number_or_unknown(state.get("epoch"))
        self._loops = Loops(started_s, kept.by_name(state.get("loops", {})))
        self._pace = Pace.restored(state.get("pace", list(Pace())))
        looked_in = [folder.output_dir, folder.work_dir, folder.checkpoint_dir]
        self._files = FoundFiles(
            self._watched.folder, looked_in, started_s, kept.by_name(state.get("files", {}))
        )

    def state(self) -> dict[str, Any]:
        """Return how far everything was read, as JSON can hold it."""
        return {
            "looked_s": self._looked_s,
            "allowed": self._allowed,
            "owners": self._owners.state(),
            "report_mark": list(self._report_mark),
            "reported": list(self._reported),
            "log_mark": list(self._log_mark),
            "epoch": self._epoch,
            "loops": self._loops.state(),
            "pace": list(self._pace),
            "files": self._files.state(),
        }

    def read(self, now_s: float, is_last: bool) -> Reading:
        """Return what is new.

        Args:
            now_s: unix time.
            is_last: whether the attempt has ended, so that nothing more will be appended.
        """
        since_s = max(0.0, now_s - self._looked_s)
        self._allowed = min(_BURST, self._allowed + _STEADY_BYTES_S * since_s)
        self._is_behind = False
        reports = self._read_report(now_s, is_last)
        logged = self._read_log(now_s, is_last)
        files = self._files.read(now_s, is_last=is_last)
        by_source = {
            "report": reports,
            "metric": logged.matched,
            "table": files.tables,
            "events": files.events,
            "log": logged.objects,
            "state": files.states,
            "summary": files.summaries,
        }
        points: list[Point] = []
        again: dict[str, float] = {}
        for source in SOURCES:
            own, taken_over = self._owners.take(source, by_source[source])
            points += own
            again |= dict.fromkeys(taken_over, ALL_OF_IT)
        points = self._timed(points, now_s)
        advance = self._advance(now_s)
        self._looked_s = now_s
        for name, step in files.again.items():
            if self._owners.owner(name) == "table":
                again.setdefault(name, step)
        return Reading(points, advance, again, self._is_behind or files.is_behind)

    def _read_report(self, now_s: float, is_last: bool) -> list[Point]:
        path = JobFolder(self._watched.folder).progress_file(self._watched.attempt)
        piece = self._appended(path, self._report_mark)
        if piece is None:
            return []
        lines = lines_of(piece, is_last=is_last)
        self._report_mark = lines.mark
        found = read_reports(lines.lines)
        for one in (found.first, found.last):
            if one is not None:
                self._reported = one if one.share is not None else self._counted(one)
                if one.share is not None:
                    at_s = one.at_s if self._is_usable(one.at_s, now_s) else now_s
                    self._pace = self._pace.seen("report", at_s or now_s, one.share)
        return found.points

    def _appended(self, path: str, mark: Mark) -> Piece | None:
        allowed = int(self._allowed)
        piece = read_appended(self._watched.folder, path, mark, _A_LOOK, most_behind=allowed)
        if piece is not None:
            self._allowed = max(0.0, self._allowed - len(piece.data))
            self._is_behind |= not piece.is_end
        return piece

    def _counted(self, said: Reported) -> Reported:
        """Return what was reported, with the share and total that lines before it told."""
        before = self._reported
        total = before.total if said.total is None else said.total
        return said._replace(share=before.share, total=total)

    def _read_log(self, now_s: float, is_last: bool) -> Logged:
        path = JobFolder(self._watched.folder).log_file(self._watched.attempt)
        piece = self._appended(path, self._log_mark)
        if piece is None:
            return Logged([], [], self._epoch)
        lines = lines_of(piece, is_last=is_last, with_returns=True)
        self._log_mark = lines.mark
        tail = piece.data[-_BARS_TAIL:]
        if len(tail) < len(piece.data) or piece.mark.in_line:
            tail = tail.replace(b"\n", b"\r").partition(b"\r")[2]  # it began with a torn line
        self._loops.take(counts_in(tail.decode(errors="replace")), now_s)
        logged = read_logged(lines.lines, self._patterns, self._epoch)
        self._epoch = logged.epoch
        return logged

    def _is_usable(self, at_s: float | None, now_s: float) -> bool:
        return at_s is not None and self._watched.started_s - _SKEW_S <= at_s <= now_s + _SKEW_S

    def _timed(self, points: list[Point], now_s: float) -> list[Point]:
        """Return the points by their times; those without one lie between two looks."""
        without = sum(not self._is_usable(one.at_s, now_s) for one in points)
        since_s = min(self._looked_s or now_s, now_s)
        timed, number = [], 0
        for point in points:
            if self._is_usable(point.at_s, now_s):
                timed.append(point)
            else:
                number += 1
                at_s = since_s + (now_s - since_s) * number / without
                timed.append(point._replace(at_s=at_s))
        return thinned(sorted(timed, key=lambda one: one.at_s))

    def _advance(self, now_s: float) -> Advance:
        inner = self._loops.inner(self._looked_s)
        if self._reported.share is not None:
            _, step, total, _ = self._reported
            return Advance(self._reported.share, step, total, self._left_s(now_s), inner)
        trained, total = self._files.trained
        bar = self._loops.outermost(now_s, bars=True)
        if bar is None and trained is not None and total:
            share = trained / total
            self._pace = self._pace.seen("state", now_s, share)
            return Advance(share, trained, total, self._left_s(now_s), inner)
        loop = bar or self._loops.outermost(now_s, bars=False)
        if loop is None:
            return Advance(step=self._reported.step, total=self._reported.total, inner=inner)
        return self._of_loop(loop, inner, now_s)

    def _of_loop(self, loop: Loop, inner: float | None, now_s: float) -> Advance:
        count = loop.said
        share = min(1.0, count.number / count.total)
        name = f"{count.kind} {count.total:g} {count.label}"
        self._pace = self._pace.seen(name, loop.last_s, share)
        left_s = self._left_s(now_s)
        if left_s is None and count.left_s is not None:
            left_s = max(0.0, count.left_s - (now_s - loop.last_s))
        return Advance(share, count.number, count.total, left_s, inner)

    def _left_s(self, now_s: float) -> float | None:
        left_s = self._pace.left_s(now_s)
        if left_s is None or not math.isfinite(left_s):
            return None
        return round(left_s, 1)
