"""The folders of ended jobs: how large they are, and how mlq removes them.

A folder is removed only after the queue has noted the removal, and only if its job has not been
started again by then: the folder is put aside first, the queue is asked once more, and a job that
was started again gets its folder back. A command that is interrupted in between leaves the folder
aside; the next cleaning goes on from there. The folder of the largest number stays: it tells a
queue that lost its data which numbers are taken.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.files.layout import Layout
from mlq.files.root import largest_number
from mlq.ids import is_number
from mlq.jobs.lifecycle import ENDED
from mlq.store.operations import Operation
from mlq.store.store import Store

_ASIDE = re.compile(r"\.([0-9_]+)\.cleaned-[0-9a-f]{8}")
_BLOCK_BYTES = 512  # stat(2): the bytes in a unit of st_blocks

Progress = Callable[[int, int], None]


class Kept(NamedTuple):
    """A job whose folder stays, and why; the reason follows the job's id in messages."""

    id: str
    why: str


class Cleaned(NamedTuple):
    """The outcome of cleaning."""

    removed: list[str]
    kept: list[Kept]


def sizes(layout: Layout, ids: Sequence[str], progress: Progress) -> dict[str, int]:
    """Return how many bytes these jobs' folders take; jobs without a folder are left out."""
    found = {}
    for done, job_id in enumerate(ids, 1):
        with suppress(FileNotFoundError, NotADirectoryError):
            found[job_id] = _size(layout.job_dir(job_id))
        progress(done, len(ids))
    return found


def _size(folder: Path) -> int:
    total, folders = 0, [str(folder)]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:
            if total == 0:
                raise
            continue  # it changes meanwhile
        except PermissionError:
            continue  # its job has closed it; its content is not counted
        for entry in entries:
            with suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return total


def clean(store: Store, layout: Layout, ids: Sequence[str], at: str, progress: Progress) -> Cleaned:
    """Remove the folders of ended jobs.

    Args:
        store: the queue.
        layout: of its results root, opened and looked at (`mlq.files.root.pinned`).
        ids: the jobs.
        at: the time, ISO.
        progress: is told how many of how many are done.

    Raises:
        OSError: a folder cannot be removed; those removed before it are gone.
    """
    done = Cleaned([], [])
    _finish_interrupted(store, layout)
    last = str(largest_number(layout))
    for number, job_id in enumerate(ids, 1):
        why = _remove(store, layout, job_id, at) if job_id != last else _LAST
        if why:
            done.kept.append(Kept(job_id, why))
        else:
            done.removed.append(job_id)
        progress(number, len(ids))
    return done


_LAST = "is the last in the results root, and by it numbers are known to be taken"
_STARTED = "has been started again"


def _remove(store: Store, layout: Layout, job_id: str, at: str) -> str:
    """Remove one folder; return why it stays, "" if it is gone."""
    folder = layout.job_dir(job_id)
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return "has something else than a folder of yours in its place"
        if found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            folder.chmod(stat.S_IRWXU)
        if any(is_number(one.name) for one in folder.iterdir()):
            return "has folders of other jobs in its own"
    except FileNotFoundError:
        return "has no folder any more"
    args = {"ids": [job_id], "at": at}
    (reply,) = store.runner.run(Operation("clean", args))
    if not reply["marked"]:
        return "has not ended"
    aside = folder.with_name(f".{folder.name}.cleaned-{os.urandom(4).hex()}")
    folder.rename(aside)
    return "" if _finish(store, layout, job_id, aside) else _STARTED


def _finish_interrupted(store: Store, layout: Layout) -> None:
    for job_id, aside in _put_aside(layout):
        _finish(store, layout, job_id, aside)


def _put_aside(layout: Layout) -> Iterator[tuple[str, Path]]:
    for path in sorted(layout.jobs_dir.iterdir()):
        if match := _ASIDE.fullmatch(path.name):
            yield match[1], path


def open_up(folder: Path) -> None:
    """Give the user all rights in a folder and those below it, if its job has taken them away."""
    folders = [str(folder)]
    while folders:
        one = folders.pop()
        mode = os.lstat(one).st_mode
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(one, mode | stat.S_IRWXU)  # noqa: PTH101 - text
        with os.scandir(one) as entries:
            folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _finish(store: Store, layout: Layout, job_id: str, aside: Path) -> bool:
    """Remove the folder that was put aside, or give it back if its job was started again."""
    ((_, state, cleaned),) = store.reads.rows(("status", "mlq_cleaned"), [job_id]) or [["", "", ""]]
    if not state or (cleaned and state in ENDED):
        try:
            shutil.rmtree(aside)
        except PermissionError:
            open_up(aside)
            shutil.rmtree(aside)
        return True
    with suppress(OSError):  # the job has made itself another folder already
        aside.rename(layout.job_dir(job_id))
    return False
