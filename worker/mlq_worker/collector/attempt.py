"""One attempt, as the collector follows it: from files to points, from points to figures.

Invariant: `reading.json` is written last. Whatever fails before that, the attempt is taken up again
from the `reading.json` before, and no point is lost or counted twice. A full disk takes the curves
of a job, but not its figures, which go to the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mlq.files.strict_files import Content, Found
from mlq.metrics.extent import Extent, extents, folded, joined, metrics_text
from mlq.metrics.series import Point, before_steps, first_steps, line_of, points_of
from mlq.metrics.usage import Sample, broken, wasted, with_sample
from mlq.metrics.usage import line_of as sample_line
from mlq_worker.collector.folder import AttemptFolder
from mlq_worker.collector.owners import ALL_OF_IT
from mlq_worker.collector.protocol import Figures, Wanted
from mlq_worker.collector.reading import Reading
from mlq_worker.collector.record import add_to_result
from mlq_worker.collector.stored import Stored, read_stored

METRICS, USAGE, LOG = "metrics.jsonl", "usage.jsonl", "output.log"
METRICS_BYTES, USAGE_BYTES = 32 << 20, 16 << 20
"""Of a longer file only the newest point of each reading is kept, and no further sample."""

A_LOOK_S = 2.0
"""How long an attempt is read at its end before others are looked at; then it goes on."""


class Reader(Protocol):
    """Turns an attempt's files into points; see `mlq_worker.collector.reading`."""

    def read(self, now_s: float, is_last: bool) -> Reading:
        """Return what is new."""

    def state(self) -> dict[str, Any]:
        """Return up to where it has read."""


NewReader = Callable[[Wanted, dict[str, Any] | None], Reader]
Earlier = Callable[[Mapping[str, float]], Mapping[str, Extent]]
"""Returns the extents of the job's earlier attempts, of steps before these of each metric only."""


class Looked(NamedTuple):
    """What one look found.

    Args:
        figures: of the attempt.
        trouble: why not all was stored; "" if it was.
        is_behind: whether there is more to read.
    """

    figures: Figures
    trouble: str
    is_behind: bool


class _Storing:
    """Stores until something cannot be stored; from then on nothing."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder
        self.trouble = ""

    def do(self, store: Callable[[], object]) -> None:
        """Store something, unless something before could not be stored."""
        if not self.trouble:
            try:
                store()
            except OSError as error:
                self.trouble = error.strerror or str(error)

    def read(self, name: str, most_bytes: int) -> Found:
        """Read a file."""
        return self._folder.read(name, most_bytes)

    def replace(self, name: str, data: bytes) -> None:
        """Put a file in place whole."""
        self.do(lambda: self._folder.replace(name, data, flush=False))

    def append(self, name: str, size: int, data: bytes) -> int:
        """Append to a file of this size; return its new size."""
        sizes = [size]
        self.do(lambda: sizes.append(self._folder.append(name, size, data)))
        return sizes[-1]


class FollowedAttempt:
    """An attempt whose files are read again and again.

    Args:
        folder: its folder.
        wanted: what was asked about it first.
        new_reader: makes its reader, from a reader's state.
    """

    def __init__(self, folder: AttemptFolder, wanted: Wanted, new_reader: NewReader) -> None:
        self._known = read_stored(folder)
        self._reader = new_reader(wanted, self._known.reader)

    def look(
        self,
        folder: AttemptFolder,
        wanted: Wanted,
        earlier: Earlier,
        clock: Callable[[], float],
    ) -> Looked:
        """Read what is new, store it, and return the figures.

        Args:
            folder: the attempt's folder.
            wanted: what is asked about it.
            earlier: of the job's earlier attempts.
            clock: unix time.
        """
        known, storing, is_behind = self._known, _Storing(folder), False
        if wanted.gpu_model:
            mib = wanted.gpu_mib or None
            known.used = known.used._replace(gpu_model=wanted.gpu_model, gpu_mib=mib)
        if wanted.samples:
            size = folder.size(LOG)
            log = None if size is None else (clock(), size)
            _store_samples(storing, known, wanted.samples, log)
        if wanted.reads:
            is_behind = self._read(storing, wanted, earlier, clock)
        figures = figures_of(known, wanted)
        storing.do(lambda: known.write(folder))
        if wanted.is_last:
            used = known.used.as_json()
            storing.do(lambda: add_to_result(folder, wanted.key, figures, used))
        return Looked(figures, storing.trouble, is_behind)

    def _read(
        self,
        storing: _Storing,
        wanted: Wanted,
        earlier: Earlier,
        clock: Callable[[], float],
    ) -> bool:
        """Read what is new; return whether there is more to read."""
        known, began_s = self._known, clock()
        is_behind = True
        while is_behind and 0 <= clock() - began_s < A_LOOK_S:
            reading = self._reader.read(clock(), wanted.is_last)
            known.advance, is_behind = reading.advance, reading.is_behind
            if reading.again:
                _leave_out(storing, known, reading.again)
            if reading.points:
                _take_points(storing, known, reading.points, earlier)
        known.reader = self._reader.state()
        if known.earlier is None:
            known.earlier = dict(earlier(known.first_steps))
        return is_behind


def figures_of(known: Stored, wanted: Wanted) -> Figures:
    """Return the figures of an attempt."""
    metrics = metrics_text(joined(known.earlier or {}, known.own))
    used, mem_mib = known.used, wanted.mem_mib
    waste = wasted(used, wanted.cores, mem_mib, wanted.gpus)
    notes = (*wanted.notes, *broken(used, mem_mib), *waste)
    return Figures(metrics, known.advance, known.used.text, notes)


def _store_samples(
    storing: _Storing, known: Stored, samples: Sequence[Sample], log: tuple[float, int] | None
) -> None:
    """Append samples; the last one also notes the size of the log, which has no times itself."""
    lines = b""
    for one in samples:
        known.used = with_sample(known.used, one)
        lines += sample_line(one, log if one is samples[-1] else None)
    if known.usage_size < USAGE_BYTES:
        known.usage_size = storing.append(USAGE, known.usage_size, lines)


def _leave_out(storing: _Storing, known: Stored, first: Mapping[str, float]) -> None:
    """Leave out what was measured from these steps on, for it is measured anew."""
    for name, step in first.items():
        if step == ALL_OF_IT:
            known.first_steps.pop(name, None)
    found = storing.read(METRICS, 2 * METRICS_BYTES)
    if not isinstance(found, Content):
        known.own = {name: one for name, one in known.own.items() if name not in first}
        return
    kept = before_steps(list(points_of(found.data[: known.metrics_size])), first)
    known.own = extents(kept)
    data = b"".join(map(line_of, kept))
    storing.replace(METRICS, data)
    if not storing.trouble:
        known.metrics_size = len(data)


def _take_points(storing: _Storing, known: Stored, points: list[Point], earlier: Earlier) -> None:
    kept = points if known.metrics_size < METRICS_BYTES else points[-1:]
    data = b"".join(map(line_of, kept))
    known.metrics_size = storing.append(METRICS, known.metrics_size, data)
    known.own = folded(known.own, points)
    known_steps = known.first_steps
    new = {
        name: step
        for name, step in first_steps(points).items()
        if name not in known_steps or step < known_steps[name]
    }
    if new:  # steps that earlier attempts made from there on are made again
        known.first_steps.update(new)
        known.earlier = dict(earlier(known.first_steps))
