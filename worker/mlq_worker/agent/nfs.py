"""Reads NFS; called only in the background (`agent.background`), because NFS may hang.

Everything is read through `Files`, which the worker's context holds.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from mlq.errors import MlqError
from mlq.files.layout import Layout
from mlq.files.root import largest_number, pinned
from mlq.files.strict_files import (
    BEAT_BYTES,
    RESULT_BYTES,
    RETURN_BYTES,
    Absent,
    Content,
    Found,
    Missing,
    Refused,
    Unreadable,
    read_file,
)
from mlq.files.strict_json import parse, parse_value
from mlq.jobs.progress import TAIL_BYTES, latest
from mlq.store.replies import Attempt
from mlq_worker.agent.attempt_result import AttemptResult, Value, parse_result, with_value
from mlq_worker.agent.old_beats import remove_old_beats
from mlq_worker.launcher.prepare import FOREIGN
from mlq_worker.liveness.verdicts import Beat, BeatSnapshot, Garbled

log = logging.getLogger(__name__)


class Files(Protocol):
    """How the agent reads the results root; `RootFiles` is the real thing. Each call may hang."""

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        """Open the root and check which queue it belongs to, as `mlq.files.root.pinned` does."""

    def read(self, root: Path, path: Path, most_bytes: int, *, tail: bool = False) -> Found:
        """Read one file, as `mlq.files.strict_files.read_file` does."""

    def largest_number(self, root: Layout) -> int:
        """Return the largest job number that has a folder, 0 if there is none.

        Raises:
            OSError: the root cannot be read now.
        """

    def remove_old_beats(self, layout: Layout, own: str, known: Collection[str]) -> int:
        """Remove beats, as `mlq_worker.agent.old_beats.remove_old_beats` does."""


class RootFiles:
    """The results root itself."""

    pinned, read = staticmethod(pinned), staticmethod(read_file)
    largest_number = staticmethod(largest_number)
    remove_old_beats = staticmethod(remove_old_beats)


ROOT_FILES: Files = RootFiles()


def read_beats(
    layout: Layout,
    machines: Iterable[str],
    clock: Callable[[], float],
    files: Files = ROOT_FILES,
) -> BeatSnapshot:
    """Look at the beats of these machines; if NFS fails, return an unreadable look.

    The time of the look is taken before reading, so a slow read never makes a beat look older. A
    machine with an invalid name is left out: it must not keep the others from a verdict.
    """
    at_s = clock()
    beats: dict[str, Beat | Garbled | None] = {}
    try:
        with files.pinned(layout) as root:
            for machine in sorted(machines):
                try:
                    path = root.beat_file(machine)
                except MlqError as error:
                    log.warning("the beat of %r cannot be read: %s", machine, error)
                    continue
                match files.read(root.root, path, BEAT_BYTES):
                    case Content(data):
                        beats[machine] = read_beat(data)
                    case Unreadable(why):
                        return BeatSnapshot(at_s, {}, unreadable=why)
                    case Refused(why):
                        beats[machine] = Garbled(why)
                    case Absent():
                        beats[machine] = None
    except OSError as error:
        return BeatSnapshot(at_s, {}, unreadable=str(error) or type(error).__name__)
    return BeatSnapshot(at_s, beats)


def read_beat(data: bytes) -> Beat | Garbled:
    """Return the beat that a file holds; if it holds none, a value that shows its changes."""
    try:
        return _beat(parse(data))
    except ValueError:
        return Garbled(hashlib.sha256(data).hexdigest())


def _beat(value: Any) -> Beat:
    try:
        boot_id, supervisor_id, counter = value["boot_id"], value["supervisor_id"], value["counter"]
        pairs = [(job_id, attempt) for job_id, attempt in value["attempts"]]
        paused, worker = value.get("paused", 0), value.get("worker", True)
        host_id, host = value.get("host_id", ""), value.get("host", "")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError("is no beat") from None
    texts = [boot_id, supervisor_id, host_id, host, *(job_id for job_id, _ in pairs)]
    numbers = [counter, paused, *(attempt for _, attempt in pairs)]
    if not all(isinstance(one, str) for one in texts) or not all(
        type(one) is int for one in numbers
    ):
        raise ValueError("is no beat")
    return Beat(
        boot_id,
        supervisor_id,
        counter,
        frozenset(pairs),
        max(0, paused),
        bool(worker),
        host_id,
        host,
    )


End = AttemptResult | Missing
"""How an attempt ended according to its `result.json`, or why that is not known."""


def read_results(
    layout: Layout, attempts: Iterable[Attempt], files: Files = ROOT_FILES
) -> dict[Attempt, End]:
    """Return how these attempts ended according to NFS, with the values of functions.

    `Absent` means an attempt without a result, `Refused` one whose file is not a valid result: a
    job can write there too. `Unreadable` is no evidence of anything.
    """
    with _pinned(layout, files) as root:
        return {
            key: _end(root, key, files) if isinstance(root, Layout) else root for key in attempts
        }


@contextmanager
def _pinned(layout: Layout, files: Files) -> Iterator[Layout | Unreadable]:
    """Yield the pinned root, or why it cannot be opened."""
    with ExitStack() as stack:
        try:
            found: Layout | Unreadable = stack.enter_context(files.pinned(layout))
        except OSError as error:
            log.warning("the results root %s cannot be read: %s", layout.root, error)
            found = Unreadable(error.strerror or str(error))
        yield found


def _end(layout: Layout, key: Attempt, files: Files) -> End:
    found = files.read(layout.root, layout.result_file(*key), RESULT_BYTES)
    if not isinstance(found, Content):
        return found
    try:
        result = parse_result(parse(found.data))
    except ValueError as error:
        return Refused(str(error))
    if result.key != key:
        return Refused("is that of another attempt")
    if result.outcome in FOREIGN:
        return Refused("names an outcome that is never written")
    if result.exit_code != 0:
        return result
    value = _value(layout, key, files)
    return value if isinstance(value, Unreadable) else with_value(result, value)


def read_values(
    layout: Layout, attempts: Iterable[Attempt], files: Files = ROOT_FILES
) -> dict[Attempt, Value | Unreadable]:
    """Return the values of functions as JSON text; "" where there is none."""
    with _pinned(layout, files) as root:
        return {
            key: _value(root, key, files) if isinstance(root, Layout) else root for key in attempts
        }


def _value(layout: Layout, key: Attempt, files: Files) -> Value | Unreadable:
    match files.read(layout.root, layout.return_file(*key), RETURN_BYTES):
        case Content(data):
            try:
                return parse_value(data)
            except ValueError as error:
                return Refused(str(error))
        case Absent():
            return ""
        case other:
            return other


def read_progress(
    layout: Layout, attempts: Iterable[Attempt], files: Files = ROOT_FILES
) -> dict[Attempt, str]:
    """Return the latest progress of these attempts; those that report none are absent."""
    found = {}
    with _pinned(layout, files) as root:
        for key in attempts:
            if not isinstance(root, Layout):
                break
            path = root.progress_file(*key)
            read = files.read(root.root, path, TAIL_BYTES, tail=True)
            text = latest(read.data) if isinstance(read, Content) else ""
            if text:
                found[key] = text
    return found
