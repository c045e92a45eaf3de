"""What NFS shows, read in a thread that may hang without anybody waiting for it.

NFS hangs for minutes as a matter of course. The worker therefore never reads it in its own thread:
it asks this one, goes on with its turn, and takes the answer when there is one. A question asked
while an earlier one is still stuck is not queued behind it but refused, so nothing piles up.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from mlq.errors import MlqError
from mlq.layout import Layout, read_listed
from mlq.progress import latest
from mlq.root import pinned
from mlq.store.replies import Attempt
from mlq_worker.liveness.verdicts import Beat, Look

log = logging.getLogger(__name__)

_TAIL_BYTES = 4096
_RESULT_FIELDS = frozenset(
    {"id", "attempt", "machine", "outcome", "exit_code", "reason", "ended_at"}
)
T = TypeVar("T")


class Desk(Generic[T]):
    """One thread that answers one question at a time.

    Args:
        wake: called in the thread when an answer is ready.
    """

    def __init__(self, name: str, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._questions: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._busy = False
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a question is still unanswered."""
        return self._busy

    @property
    def answered(self) -> bool:
        """Whether an answer lies ready."""
        return not self._answers.empty()

    def ask(self, question: Callable[[], T]) -> bool:
        """Ask, unless the desk is busy; returns whether it was asked."""
        if self._busy:
            return False
        self._busy = True
        self._questions.put(question)
        return True

    def answer(self) -> T | None:
        """Return the answer if there is one; then the desk is free again."""
        try:
            answer = self._answers.get_nowait()
        except queue.Empty:
            return None
        self._busy = False
        return answer

    def _serve(self) -> None:
        while True:
            question = self._questions.get()
            try:
                self._answers.put(question())
            except Exception:
                # No answer is no evidence; a thread that ended here would never bring any.
                log.exception("the desk %s has no answer", threading.current_thread().name)
                self._busy = False
            self._wake()


class NewDesk(Protocol):
    """Opens a desk."""

    def __call__(self, name: str, wake: Callable[[], None]) -> Desk[Any]:
        """Return a new desk of this name; `wake` as for `Desk`."""


def read_beats(layout: Layout, machines: Iterable[str], clock: Callable[[], float]) -> Look:
    """Look at the beats of these machines; if NFS fails, it is an unreadable look.

    The time of the look is taken before reading, so a slow read never makes a beat look older. A
    machine whose beat is no beat is left out: it must not keep the others from a verdict.
    """
    at_s = clock()
    beats: dict[str, Beat | None] = {}
    try:
        with pinned(layout) as root:
            for machine in machines:
                try:
                    beats[machine] = _beat(root.beat_file(machine))
                except (ValueError, KeyError, TypeError, MlqError) as error:
                    log.warning("the beat of %s cannot be read: %s", machine, error)
    except OSError as error:
        return Look(at_s, {}, unreadable=str(error) or type(error).__name__)
    return Look(at_s, beats)


def _beat(path: Path) -> Beat | None:
    raw = read_listed(path)
    if raw is None:
        return None
    value = json.loads(raw)
    attempts = frozenset((one[0], one[1]) for one in value["attempts"])
    return Beat(
        value["boot_id"],
        value["supervisor_id"],
        value["counter"],
        attempts,
        int(value.get("paused", 0)),
        bool(value.get("worker", True)),
    )


def read_results(
    layout: Layout, attempts: Iterable[Attempt]
) -> dict[Attempt, dict[str, Any] | None]:
    """Return the results that lie on NFS for these attempts; None where there is none.

    An attempt is absent if NFS failed: that is no evidence that it has no result. What a function
    returned stands in its result as `value`, JSON text.
    """
    found: dict[Attempt, dict[str, Any] | None] = {}
    with _pinned(layout) as root:
        for key in attempts:
            if root is None:
                break
            try:
                found[key] = _result(root, key)
            except OSError as error:
                log.warning("the result of job %s cannot be read: %s", key[0], error)
    return found


@contextmanager
def _pinned(layout: Layout) -> Iterator[Layout | None]:
    """Give the pinned root, or None if it is not to be had."""
    with ExitStack() as stack:
        try:
            root = stack.enter_context(pinned(layout))
        except OSError as error:
            log.warning("the results root %s cannot be read: %s", layout.root, error)
            root = None
        yield root


def _result(layout: Layout, key: Attempt) -> dict[str, Any] | None:
    raw = read_listed(layout.result_file(*key))
    try:
        result = json.loads(raw) if raw is not None else None
    except ValueError:
        return None
    # A job can write here too. What is no result of this attempt does not end it.
    if not isinstance(result, dict) or not result.keys() >= _RESULT_FIELDS:
        return None
    if (result["id"], result["attempt"]) != key:
        return None
    value = _value_or_none(layout, key)
    return result | ({"value": value} if value else {})


def read_values(layout: Layout, attempts: Iterable[Attempt]) -> dict[Attempt, str]:
    """Return what functions returned, as JSON text; "" where it cannot be read."""
    with _pinned(layout) as root:
        return {key: _value_or_none(root, key) if root else "" for key in attempts}


def _value_or_none(layout: Layout, key: Attempt) -> str:
    try:
        return _value(layout, *key)
    except (OSError, ValueError):
        return ""


def _value(layout: Layout, job_id: str, attempt: int) -> str:
    raw = read_listed(layout.return_file(job_id, attempt))
    return json.dumps(json.loads(raw)) if raw is not None else ""


def read_progress(layout: Layout, attempts: Iterable[Attempt]) -> dict[Attempt, str]:
    """Return the latest progress of these attempts; those that report none are absent."""
    found = {}
    with _pinned(layout) as root:
        for job_id, attempt in attempts:
            if root is None:
                break
            text = _tail_progress(root.progress_file(job_id, attempt))
            if text:
                found[job_id, attempt] = text
    return found


def _tail_progress(path: Path) -> str:
    try:
        # Listed first: a name that does not exist yet must not be asked for (see `mlq.layout`).
        if path.name not in os.listdir(path.parent):  # noqa: PTH208 - names, not paths
            return ""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL_BYTES))
            return latest(file.read(_TAIL_BYTES))
    except OSError:
        return ""
