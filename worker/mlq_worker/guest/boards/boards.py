"""The boards of the other queues on a machine, read.

They lie in a folder in which everybody may write, so a file there may be anything. Invariant: a
board is believed only if it is a regular file with one name, owned by the user in its name, and the
process that it names is alive and that user's. No file is followed, waited for, or read beyond the
most bytes of a board. What is not believed is named, and has no other effect.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq_worker.guest.boards.board import (
    MOST_BYTES,
    Board,
    BoardName,
    Process,
    parse_board,
    parse_name,
)
from mlq_worker.ipc import procfs
from mlq_worker.ipc.kept_listing import KeptListing

_HIDDEN_FRESH_S = 120.0  # where /proc hides the owner, its board must not be older
_MOST_A_USER, _MOST_NAMED = 16, 64
_YOUNG_S = 0.1
_TRIES = 5
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: "is a folder",
    stat.S_IFLNK: "is a symbolic link",
    stat.S_IFIFO: "is a named pipe",
    stat.S_IFSOCK: "is a socket",
}


class Posted(NamedTuple):
    """A board that is believed."""

    name: BoardName
    board: Board


class Hanging(NamedTuple):
    """What hangs in the folder.

    Args:
        posted: the boards that are believed, but for our own.
        unbelieved: the name of each other file, and why it is not believed.
    """

    posted: tuple[Posted, ...] = ()
    unbelieved: tuple[tuple[str, str], ...] = ()


class _Parsed(NamedTuple):
    state: tuple[int, ...]
    board: Board | None
    why: str
    read_at: float = 0.0  # unix time


class BoardReader:
    """Reads the boards of others; remembers those that have not changed.

    Args:
        folder: where the users of the machine meet.
        own: our own queue's name; its boards are left out.
        owner_of: returns who runs a process now; see `owner_of`.
        utc_s: unix time: the clock of files.
    """

    def __init__(
        self,
        folder: Path,
        own: BoardName,
        owner_of: Callable[[Process], int | None] | None = None,
        utc_s: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._own = os.fspath(folder), (own.uid, own.queue)
        self._owner_of, self._utc_s = owner_of or owner_of_process, utc_s
        self._parsed: dict[str, _Parsed] = {}
        self._known: set[BoardName] = set()
        self._listing = KeptListing(self._folder, _names, utc_s)

    def read(self) -> Hanging:
        """Read all boards."""
        posted: list[Posted] = []
        unbelieved: list[tuple[str, str]] = []
        parsed: dict[str, _Parsed] = {}
        of_user: dict[int, int] = {}
        for name, found in self._found():
            one = self._one(name, found)
            of_user[name.uid] = of_user.get(name.uid, 0) + (one.board is not None)
            if of_user[name.uid] > _MOST_A_USER:
                one = _Parsed(one.state, None, "its user has too many")
            why = one.why or self._absent(name, one)
            if why and len(unbelieved) < _MOST_NAMED:
                unbelieved.append((str(name), why))
            elif not why and one.board is not None:
                parsed[str(name)] = one
                posted.append(Posted(name, self._living(name, one.board)))
        self._parsed = parsed
        self._known = {one.name for one in posted}
        return Hanging(tuple(posted), tuple(unbelieved))

    def _found(self) -> Iterator[tuple[BoardName, os.stat_result]]:
        try:
            listed = self._listing.look()
        except OSError:
            return
        # POSIX lets a listing miss a file that is replaced meanwhile: known names are tried anyway.
        for name in sorted(listed | self._known):
            if (name.uid, name.queue) != self._own:
                with suppress(OSError):  # it has just been taken down
                    yield name, os.lstat(f"{self._folder}/{name}")

    def _one(self, name: BoardName, found: os.stat_result) -> _Parsed:
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "is a device")
            return _Parsed((), None, f"it {kind}")
        known = self._parsed.get(str(name))
        # The clock of files stands still for some milliseconds, and an inode may be used again at
        # once: of a file as young as that, nothing tells whether it is still the one that was read.
        is_same = known is not None and known.state == _state(found)
        if known is not None and is_same and known.state[-1] / 1e9 < known.read_at - _YOUNG_S:
            return known
        read_at = self._utc_s()
        try:
            parsed = _read(f"{self._folder}/{name}", name)
            for _ in range(_TRIES):
                if parsed.state[_LINKS]:
                    break
                # Its owner has put up another one since it was opened; that one counts.
                parsed = _read(f"{self._folder}/{name}", name)
            return parsed._replace(read_at=read_at)
        except OSError as error:
            gone = error.errno == errno.ENOENT
            return _Parsed((), None, "" if gone else f"it cannot be read: {error.strerror}")

    def _absent(self, name: BoardName, one: _Parsed) -> str:
        if one.board is None:
            return ""
        owner = self._owner_of(one.board.process)
        if owner == HIDDEN:
            age_s = abs(self._utc_s() - one.state[-1] / 1e9)
            return "" if age_s <= _HIDDEN_FRESH_S else "its process is hidden, and it is old"
        if owner is None:
            return "its process has ended"
        return "" if owner == name.uid else f"its process belongs to user {owner}"

    def _living(self, name: BoardName, board: Board) -> Board:
        """Return the board without jobs whose process has ended or is somebody else's."""
        jobs = tuple(
            job
            for job in board.jobs
            if job.process is None or self._owner_of(job.process) in (HIDDEN, name.uid)
        )
        return board._replace(jobs=jobs)


_LINKS = 0


def _state(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes with each writing of a file; its names come first, its time last."""
    return (
        *(found.st_nlink, found.st_dev, found.st_ino, found.st_mode, found.st_uid),
        *(found.st_size, found.st_ctime_ns, found.st_mtime_ns),
    )


def _names(folder: str) -> frozenset[BoardName]:
    names = os.listdir(folder)  # noqa: PTH208 - names only
    # Nearly all other names end with the first comparison.
    return frozenset(name for one in names if one.startswith("mlq-") and (name := parse_name(one)))


def _read(path: str, name: BoardName) -> _Parsed:
    descriptor = os.open(path, _READ)
    try:
        found = os.fstat(descriptor)
        state = _state(found)
        if not stat.S_ISREG(found.st_mode):
            return _Parsed(state, None, "it is no file")
        if found.st_uid != name.uid:
            return _Parsed(state, None, f"it belongs to user {found.st_uid}")
        if found.st_nlink > 1:
            return _Parsed(state, None, "it has another name, too")
        if found.st_size > MOST_BYTES:
            return _Parsed(state, None, f"it is larger than {MOST_BYTES} bytes")
        text = os.read(descriptor, MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        return _Parsed(state, parse_board(text), "")
    except ValueError as error:
        return _Parsed(state, None, f"it {error}")


HIDDEN = -1
"""The owner of a process that exists but that /proc hides (the mount option `hidepid`)."""


def owner_of_process(process: Process) -> int | None:
    """Return who runs a process; None if it has ended, `HIDDEN` if that cannot be seen."""
    try:
        seen = procfs.look_at(process.pid)
        status = procfs.read(f"/proc/{process.pid}/status")
    except OSError:
        return HIDDEN if _exists(process.pid) else None
    if seen is None or status is None:
        return HIDDEN if _exists(process.pid) and not _is_visible(process.pid) else None
    if seen.start != process.start or seen.state in "ZX":
        return None
    return _real_uid(status)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_visible(pid: int) -> bool:
    return os.path.lexists(f"/proc/{pid}/stat")


def _real_uid(status: bytes) -> int | None:
    fields = {
        name: rest for name, _, rest in (line.partition(b":") for line in status.splitlines())
    }
    with suppress(KeyError, ValueError, IndexError):
        return int(fields[b"Uid"].split()[0])
    return None
