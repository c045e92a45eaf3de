"""The collector: `python -P -m mlq_worker.collector ROOT QUEUE_ID WORKER_PID IDLE_S`.

It alone reads what jobs write, because that may take for ever: the results root may hang, and so
may the regular expression of a user's `--metric`. It holds nothing, so the worker can kill it and
start another, or leave it behind in the kernel. It ends with the worker that started it, or when
it was asked nothing for long. One attempt whose files cannot be stored or whose reader fails is
reported and does not keep it from the others.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mlq.files.layout import Layout
from mlq.files.root import LastLook, pinned
from mlq_worker.collector.attempt import FollowedAttempt, NewReader
from mlq_worker.collector.earlier import earlier_extents
from mlq_worker.collector.folder import attempt_folder
from mlq_worker.collector.protocol import (
    Attempt,
    Figures,
    Found,
    Wanted,
    answer_line,
    read_request,
)
from mlq_worker.collector.reading import JobReader, Watched

_PR_SET_PDEATHSIG = 1  # prctl(2)
_MOST_FOLLOWED = 256
_MEMORY_BYTES = 1 << 30
_PIECE_BYTES = 1 << 16


class Collector:
    """Answers requests.

    Args:
        layout: the results root, and the queue it must belong to.
        new_reader: makes the reader of an attempt, from the job's folder.
        clock: unix time.
    """

    def __init__(
        self,
        layout: Layout,
        new_reader: Callable[[Layout], NewReader],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._layout, self._clock = layout, clock
        self._new_reader = new_reader(layout)
        self._last_look = LastLook()
        # Of the one that was asked about longest ago nothing is lost: it is taken up again.
        self._followed: OrderedDict[Attempt, FollowedAttempt] = OrderedDict()

    def look(self, wanted: Wanted) -> Found:
        """Return what is known of an attempt by now."""
        followed = self._followed.pop(wanted.key, None)
        figures, trouble, is_behind = Figures(), "", False
        try:
            with pinned(self._layout, self._last_look) as root:
                job = root.folder(wanted.id)
                below = job.attempt_dir(wanted.attempt).removeprefix(f"{root.root}/")
                earlier = partial(earlier_extents, root.root, job, wanted.attempt)
                with attempt_folder(str(root.root), below) as folder:
                    followed = followed or FollowedAttempt(folder, wanted, self._new_reader)
                    looked = followed.look(folder, wanted, earlier, self._clock)
            figures, trouble, is_behind = looked
            if not trouble and (is_behind or not wanted.is_last):
                self._followed[wanted.key] = followed
        except FileNotFoundError:
            trouble = ""  # it has no folder yet, or no longer
        except OSError as error:
            trouble = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001 - a reader's bug is one job's trouble, not all jobs'
            trouble = f"{type(error).__name__}: {error}"
        while len(self._followed) > _MOST_FOLLOWED:
            self._followed.popitem(last=False)
        return Found(*wanted.key, figures, trouble, is_behind)


def job_reader(layout: Layout) -> NewReader:
    """Return what makes the readers of jobs under this results root."""

    def new(wanted: Wanted, state: dict[str, object] | None) -> JobReader:
        folder = layout.folder(wanted.id).path
        watched = Watched(wanted.id, wanted.attempt, folder, wanted.patterns, wanted.started_s)
        return JobReader(watched, state)

    return new


def serve(collector: Collector, requests: int, answers: int, idle_s: float) -> None:
    """Answer each request that comes; return when there will be no more.

    Args:
        collector: answers.
        requests: the descriptor to read from.
        answers: the descriptor to write to.
        idle_s: return after so many seconds without a request.
    """
    waiting = b""
    while select.select([requests], [], [], idle_s)[0]:
        piece = os.read(requests, _PIECE_BYTES)
        if not piece:
            return
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            for wanted in read_request(line):
                _write(answers, answer_line(collector.look(wanted)))
            _write(answers, answer_line(None))


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def main(root: str, queue_id: str, worker_pid: int, idle_s: float) -> None:
    """Serve the worker that started this process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != worker_pid:
        return  # it died before it could be asked for
    # A batch system tells all processes of an allocation to end. The worker leaves last, and needs
    # to know how far its jobs came.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What a job wrote must never take the memory of the machine.
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    # A library that prints must not garble the answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    collector = Collector(Layout(Path(root), queue_id), job_reader)
    serve(collector, 0, answers, idle_s)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
