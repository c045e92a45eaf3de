"""Waits until jobs have ended, for `mlq wait` and `mlq enqueue --wait`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from math import inf

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import JobView
from mlq_cli.invocation.session import say
from mlq_cli.render.clean import clean
from mlq_cli.render.jobs import counts_of, summary
from mlq_cli.render.style import style_of
from mlq_cli.render.table import shorten
from mlq_cli.render.words import elapsed, listed_briefly, percent

POLL_S = 0.25
_ASKED_A_SECOND = 4000
_TOLD_AT_MOST = 5
_HIGHEST_EXIT_CODE = 255
_SIGNALED = 128


def wait_for(queue: Queue, ids: Sequence[str], timeout_s: float = inf) -> list[JobView]:
    """Return the jobs once all of them have ended, or after `timeout_s`.

    On a terminal a line shows the progress.

    Raises:
        KeyboardInterrupt: the user stopped waiting; the jobs go on, and a message says so.
    """
    show, clear = live_line()
    began_s = time.monotonic()
    latest: dict[str, JobView] = {}
    left = list(ids)
    told = False
    try:
        while True:
            latest.update((job.id, job) for job in queue.views(left))
            jobs = [latest[one] for one in ids]
            left = [job.id for job in jobs if job.state not in ENDED]
            waited_s = time.monotonic() - began_s
            if not left or waited_s >= timeout_s:
                return jobs
            if not told and all(latest[one].held for one in left):
                told = True
                clear()
                say(f"all that is left is held: {latest[left[0]].held} (see: mlq release)")
            show(progress_line(jobs, waited_s))
            time.sleep(min(max(POLL_S, len(left) / _ASKED_A_SECOND), timeout_s - waited_s))
    except KeyboardInterrupt:
        clear()
        say(f"no longer waiting; {listed_briefly(left)} {'goes' if len(left) == 1 else 'go'} on")
        raise
    finally:
        clear()


def say_bad_ends(jobs: Sequence[JobView]) -> None:
    """Say which jobs did not finish, and why; if there are many, name the first."""
    bad = [job for job in jobs if job.state != State.FINISHED]
    for job in bad[:_TOLD_AT_MOST]:
        why = f": {job.reason}" if job.reason and job.reason != job.state else ""
        say(clean(f"{job.id} {job.name}".rstrip() + f" {job.state}{why}"))
    if len(bad) > _TOLD_AT_MOST:
        say(f"and {len(bad) - _TOLD_AT_MOST} more did not finish")


def exit_code_of(jobs: Sequence[JobView]) -> int:
    """Return 0 if all jobs finished, else the exit code of the first that did not, or 1."""
    for job in jobs:
        if job.state != State.FINISHED:
            return _as_shells_do(job.exit_code or 1)
    return 0


def _as_shells_do(code: int) -> int:
    if code < 0:
        code = _SIGNALED - code
    return code if code <= _HIGHEST_EXIT_CODE else 1


def progress_line(jobs: Sequence[JobView], waited_s: float) -> str:
    """Return the progress in one line: the counts, or the state of a single job."""
    if len(jobs) > 1:
        words = summary(counts_of(jobs))
    else:
        (job,) = jobs
        where = f" on {job.machine}" if job.state == State.STARTED and job.machine else ""
        words = f"{job.id} {job.name}".rstrip() + f": {job.state}{where} {percent(job.progress)}"
    return clean(f"{words.rstrip()}, {elapsed(waited_s)}")


def live_line() -> tuple[Callable[[str], None], Callable[[], None]]:
    """Return a function that shows one line in place on standard error, and one that clears it."""
    style = style_of(sys.stderr, os.environ)
    if style.width is None or not sys.stderr.isatty():
        return lambda _text: None, lambda: None
    room = style.width - 1

    def show(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{shorten(text, room)}")
        sys.stderr.flush()

    def clear() -> None:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

    return show, clear
