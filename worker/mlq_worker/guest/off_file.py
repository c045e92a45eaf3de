"""`/tmp/mlq-off`: with it anyone at all switches off every mlq of a machine.

`touch /tmp/mlq-off` needs no mlq, so anything of that name counts, also a folder, a link or a FIFO.
A file of somebody else's cannot be touched again once its time is over, so a few more names count.
Only a regular file of a few bytes is read, without following a link and without waiting: whatever
stands there must neither hang nor bloat the reader.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.units import parse_duration
from mlq_worker.guest.login_names import printable

FOLDER = Path("/tmp")  # noqa: S108 - everybody's, on purpose
NAMES = ("mlq-off", *(f"mlq-off.{number}" for number in range(2, 10)))
MOST_BYTES = 200
DEFAULT_S = 12 * 3600.0
LONGEST_S = 24 * 3600.0

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def guest_words(user: str, folder: Path | None) -> str:
    """Return what tells people at this machine whose jobs these are, and how to stop them.

    Args:
        user: whose.
        folder: where a file stops them; None: nowhere, as in an allocation.
    """
    whose = f"guest of {printable(user)}"
    return whose if folder is None else f"{whose}; to stop its jobs: touch {folder}/{NAMES[0]}"


class OffFile(NamedTuple):
    """What stands at one of the names.

    Args:
        name: which.
        uid: whose it is; -1: unknown.
        touched: its time, in unix seconds.
        identity: another one means another file, or another content.
        size: in bytes, if it is a regular file, else -1.
    """

    name: str
    uid: int
    touched: float
    identity: tuple[int, ...]
    size: int


class Content(NamedTuple):
    """What it says: how long it lasts from its time on, and why."""

    lasts_s: float = DEFAULT_S
    why: str = ""


def look(folder: str) -> Iterator[OffFile]:
    """Yield what stands at the names in a folder."""
    for name in NAMES:
        try:
            found = os.lstat(f"{folder}/{name}")
        except PermissionError:
            # Something that its owner has closed to others, such as a mount.
            if os.access(folder, os.X_OK):
                yield OffFile(name, -1, float("inf"), (), -1)
            continue
        except OSError:
            continue
        identity = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        size = found.st_size if stat.S_ISREG(found.st_mode) else -1
        yield OffFile(name, found.st_uid, found.st_mtime, identity, size)


def read(folder: str, file: OffFile) -> Content:
    """Return what it says; a file that cannot be read, and what is no file, says nothing."""
    if not 0 < file.size <= MOST_BYTES:
        return Content()
    try:
        descriptor = os.open(f"{folder}/{file.name}", _READ)
    except OSError:
        return Content()
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
            return Content()
        return parse(os.read(descriptor, MOST_BYTES))
    except OSError:
        return Content()
    finally:
        os.close(descriptor)


def parse(content: bytes) -> Content:
    """Return what a content says: a duration in its first line, and then why."""
    lines = content.decode(errors="replace").splitlines()
    try:
        lasts_s = min(parse_duration(lines[0]), LONGEST_S)
        lines = lines[1:]
    except (InvalidInputError, IndexError):
        lasts_s = DEFAULT_S
    return Content(lasts_s, " ".join(shown for one in lines if (shown := printable(one))))


def left_s(file: OffFile, content: Content, unix_s: float) -> float:
    """Return for how long it lasts at a time of the wall clock; a future time counts as now."""
    return content.lasts_s - max(0.0, unix_s - file.touched)
