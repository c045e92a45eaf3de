"""Which queue a results root belongs to, and whether a folder is that root: checked at each use.

Two queues on one root would write into each other's jobs, since both count from 1. And a folder in
the root's place need not be the root: the share may be unmounted, or the path may be a local disk
on one machine, where no other machine sees a beat or a result. So the first worker of a queue that
has no root yet leaves the queue's id in its root (`queue.json`), the queue remembers that it has
one, and from then on nothing under the root counts unless the id is there, on the same opened
folder.

A user who can write in the root could replace our folders: results, and the mlq that machines run.
So the root must be ours alone.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mlq.errors import EmptiedQueueError, StorageError
from mlq.files.layout import Layout
from mlq.files.paths import check_ours_alone, make_private_dirs
from mlq.files.strict_files import QUEUE_FILE_BYTES, Absent, Content, Unreadable, read_file
from mlq.ids import is_number

FORMAT = 1
_BELIEF_S = 1.0


class WrongRootError(OSError):
    """The folder in the root's place is not the queue's root; `strerror` says what it is."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.ENXIO, why)


class Owner(NamedTuple):
    """What `queue.json` says: the queue, and the version of the root's format."""

    queue_id: str
    format: int


def read_owner(root: Path) -> Owner | None:
    """Return which queue's root a folder is; None if it has no `queue.json`, or does not exist.

    Raises:
        OSError: it cannot be read now.
        WrongRootError: its `queue.json` is not such a file.
    """
    found = read_file(root, root / "queue.json", QUEUE_FILE_BYTES)
    if isinstance(found, Absent):
        return None
    if isinstance(found, Unreadable):
        raise OSError(errno.EIO, found.why)
    if not isinstance(found, Content):
        raise WrongRootError(f"its queue.json {found.why}")
    try:
        value = json.loads(found.data)
        queue_id, version = value["queue"], value["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        queue_id, version = None, None
    if not isinstance(queue_id, str) or not isinstance(version, int):
        raise WrongRootError("its queue.json is damaged")
    return Owner(queue_id, version)


class LastLook:
    """The folder that was last seen to be the queue's root; the same folder is believed for 1 s.

    A launcher opens the root hundreds of times a second, and reading `queue.json` each time took a
    fifth of its work. The folder itself is still opened and compared each time: another mount or
    folder in its place differs in device, inode number or time of last change.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: tuple[tuple[int, int, int], float] | None = None

    def is_root(self, folder: int) -> bool:
        """Return whether this opened folder was recently found to be the root."""
        seen = self._seen
        return seen is not None and self._clock() < seen[1] and _identity(folder) == seen[0]

    def note(self, identity: tuple[int, int, int]) -> None:
        """Note that a folder, with the status it had before the check, is the root."""
        self._seen = identity, self._clock() + _BELIEF_S


def _identity(folder: int) -> tuple[int, int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino, found.st_ctime_ns


@lru_cache(maxsize=64)
def _opened(folder: int) -> Path:
    """Return the path of an open folder; building a path takes longer than opening the folder."""
    return Path(f"/proc/self/fd/{folder}")


@contextmanager
def pinned(layout: Layout, last_look: LastLook | None = None) -> Iterator[Layout]:
    """Open the results root, check which queue it belongs to, and yield its layout on that folder.

    Even if something is mounted over the root meanwhile, all reads and writes go to the folder that
    was checked. Only for threads that may hang in NFS.

    Args:
        layout: of the root, with the id of the queue whose root it must be.
        last_look: remembers the check, for callers that open the root hundreds of times a second.

    Raises:
        WrongRootError: it is not the root of the queue of this layout, or is not there.
        OSError: it cannot be read now.
    """
    try:
        folder = os.open(layout.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise WrongRootError(f"there is no {layout.root}; is the share mounted?") from None
    here = _opened(folder)
    try:
        if layout.queue_id and not (last_look and last_look.is_root(folder)):
            identity = _identity(folder)
            _check(layout.root, read_owner(here), layout.queue_id)
            if last_look:
                last_look.note(identity)
        yield Layout(here)
    except OSError as error:
        # With the path that the caller used.
        name = error.filename
        if isinstance(name, str) and name.startswith(f"{here}/"):
            error.filename = f"{layout.root}{name.removeprefix(str(here))}"
        raise
    finally:
        os.close(folder)


def what_is_wrong(layout: Layout) -> str:
    """Return a description of what is there instead of the queue's root; "" if it is the root."""
    try:
        with pinned(layout):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def claim_root(layout: Layout, queue_id: str, known_root: str = "") -> None:
    """Make sure that the root is the queue's and can be written; make it for a queue without one.

    Args:
        layout: of the root.
        queue_id: of the queue; "" if it has none, because it has no data.
        known_root: the root that the queue was given, as its first worker called it; "": none yet.

    Raises:
        StorageError: it cannot be written, or is not the queue's, or was written by a newer mlq.
        EmptiedQueueError: the root has a queue, and the queue that answers has no data.
        UnsafePathError: it is open to others.
    """
    try:
        owner = read_owner(layout.root)
        if owner is None and known_root:
            raise WrongRootError(
                f"it has no queue.json, and the first worker had the root at {known_root}"
            )
        if owner is not None and not queue_id:
            raise _emptied(layout.root, owner.queue_id)
        for folder in (layout.root, layout.workers_dir, layout.jobs_dir):
            make_private_dirs(folder)
        check_ours_alone(layout.root)
        if owner is None:
            _write_once(layout.queue_file, {"queue": queue_id, "format": FORMAT})
            owner = read_owner(layout.root)
        _check(layout.root, owner, queue_id)
        _probe(layout.workers_dir)
    except WrongRootError as error:
        raise StorageError(
            f"the folder {layout.root} is not the queue's results root",
            why=str(error.strerror),
            fix="mount the share, or set the root that the other workers use (MLQ_ROOT); each "
            "queue has a root of its own",
        ) from None
    except OSError as error:
        raise StorageError(
            f"the results root {layout.root} cannot be used",
            why=error.strerror or str(error),
            fix="choose another with MLQ_ROOT, or make room there",
        ) from None
    if owner is not None and owner.format > FORMAT:
        raise StorageError(
            f"the results root {layout.root} was written by a newer mlq", fix="update mlq here"
        )


def largest_number(layout: Layout) -> int:
    """Return the largest job number that has a folder in the root, 0 if there is none.

    A folder in which no job ever began does not count: it was made by hand, and could use up all
    numbers.
    """
    names = os.listdir(layout.jobs_dir)  # noqa: PTH208 - names, not paths
    for number in sorted((int(name) for name in names if is_number(name)), reverse=True):
        if _is_of_job(f"{layout.jobs_dir}/{number}"):
            return number
    return 0


def absurd_folders(layout: Layout) -> list[str]:
    """Return the names of folders that look like jobs' folders but do not count."""
    largest = largest_number(layout)
    names = os.listdir(layout.jobs_dir)  # noqa: PTH208 - names, not paths
    return sorted(
        name for name in names if name.isdecimal() and (not is_number(name) or int(name) > largest)
    )


def _is_of_job(folder: str) -> bool:
    """Return whether a folder holds anything of an attempt or of a sweep's member."""
    try:
        with os.scandir(folder) as entries:
            return any(
                one.name in ("attempts", "job.json") or is_number(one.name) for one in entries
            )
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False


def _check(root: Path, owner: Owner | None, queue_id: str) -> None:
    if owner is None:
        raise WrongRootError(f"{root} has no queue.json; is the share mounted?")
    if owner.queue_id != queue_id:
        raise WrongRootError(
            f"{root} belongs to another queue: it says {owner.queue_id}, this queue is {queue_id}"
        )


def _emptied(root: Path, queue_id: str) -> EmptiedQueueError:
    return EmptiedQueueError(
        "the queue's server has no data",
        why=f"it knows no queue, and the results root {root} belongs to queue {queue_id}",
        fix="start it on the right folder (XDG_DATA_HOME, MLQ_SERVER_DIR), or rebuild the queue "
        "from the results root: mlq server restore; a new queue takes a new root (MLQ_ROOT)",
    )


def _write_once(path: Path, value: dict[str, object]) -> None:
    # A link fails where a rename would replace, so of two first workers only one wins.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(value), encoding="utf-8")
        draft.chmod(0o600)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _probe(folder: Path) -> None:
    probe = folder / f".probe.{os.getpid()}"
    try:
        probe.write_bytes(b"\0" * 4096)
    finally:
        probe.unlink(missing_ok=True)
