"""Keeps the user's own files of a job's output up to date: Slurm's `--output` and `--error`.

The job itself writes into its log on the results root, as every job does: the user's file may lie
on a disk that is full, or on a server that is away, and must hold up neither the job nor its end. A
thread for each such job appends what is new in the log to the user's file a few times a second. If
standard error is to be apart, the job writes into two files, and the log is appended to like a
user's file. Invariant: the log has everything; what a user's file lacks is said in a note. The rest
is appended before the attempt's result is written, and for that the launcher waits `PATIENCE_S`
from the last progress on, and `MOST_S` in all.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mlq.files.layout import JobFolder
from mlq.threads import start_thread
from mlq_worker.ipc.values import Order

LOOK_S = 0.25
PATIENCE_S, MOST_S = 5.0, 30.0
_PIECE_BYTES = 1 << 20
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_NULL = os.makedev(1, 3)  # /dev/null, on every Linux
_WORDS = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "the quota is used up",
    errno.ENOENT: "its folder is missing",
    errno.ENOTDIR: "its folder is missing",
    errno.EISDIR: "it is a folder",
    errno.ENXIO: "it is no file",
}


def _is_usable(found: os.stat_result) -> bool:
    is_null = stat.S_ISCHR(found.st_mode) and found.st_rdev == _NULL
    return is_null or stat.S_ISREG(found.st_mode)


class Target:
    """A file that gets all that is written into one log.

    Args:
        path: of the file.
        appends: whether what is in it stays.
        is_own: whether it is mlq's own log, which follows no link.
        umask: with which it is made: that of its user, where the launcher's keeps others out.
    """

    def __init__(
        self, path: str, *, appends: bool, is_own: bool = False, umask: int = 0o77
    ) -> None:
        self.path, self.is_own, self._umask = path, is_own, umask
        self._flags = _WRITE | (0 if appends else os.O_TRUNC) | (os.O_NOFOLLOW if is_own else 0)
        self._file: int | None = None
        self._at = 0
        self.moved = 0
        self.trouble = ""

    def open(self) -> None:
        """Open it, and empty it if that is wanted; a failure is in `trouble`.

        It may be tried again: submitit, for one, makes the folder only after it knows the job's id.
        """
        try:
            self._check()
            self._file = self._opened()
            if not _is_usable(os.fstat(self._file)):
                self.close()
                raise OSError(errno.ENXIO, "")
        except OSError as error:
            self._failed(error)

    def _opened(self) -> int:
        """Return it, open; only a file that is made here gets its user's umask."""
        try:
            made = os.open(self.path, self._flags | os.O_EXCL, 0o600)
        except FileExistsError:
            return os.open(self.path, self._flags, 0o600)
        # The launcher's umask is that of all its threads, and of the jobs that it starts meanwhile.
        with suppress(OSError):  # a file system without modes
            os.fchmod(made, 0o666 & ~self._umask)
        return made

    def _check(self) -> None:
        """Refuse what is no file before it is opened: opening may act on a device."""
        plain = os.path.normpath(self.path)
        is_file = plain == os.devnull or plain.startswith("/dev/shm/")  # noqa: S108
        if plain.startswith(("/proc/", "/dev/")) and not is_file:
            raise OSError(errno.ENXIO, "")  # `/dev/stdout` would be the launcher's
        try:
            found = Path(self.path).stat()
        except FileNotFoundError:
            return
        if stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, "")
        if not _is_usable(found):
            raise OSError(errno.ENXIO, "")

    def follow(self, source: int, size: int) -> None:
        """Append what is new in a log of this size; a failure is in `trouble`."""
        if self._file is None:
            self.open()
        if self._file is None:
            return
        if size < self._at:
            self._at = 0  # the job has cut it off
        try:
            while self._at < size:
                piece = os.pread(source, min(_PIECE_BYTES, size - self._at), self._at)
                if not piece:
                    break
                written = os.write(self._file, piece)
                self._at += written
                self.moved += written
        except OSError as error:
            self._failed(error)
        else:
            self.trouble = ""

    def _failed(self, error: OSError) -> None:
        self.trouble = _WORDS.get(error.errno or 0, error.strerror or str(error))

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.close(file)
            except OSError as error:
                self._failed(error)  # NFS may say only now that the disk is full


class Stream:
    """One log and the files that follow it.

    Args:
        path: of the log.
        targets: the files.
    """

    def __init__(self, path: str, targets: Sequence[Target]) -> None:
        self._path, self.targets = path, targets
        self._source: int | None = None

    def look(self) -> None:
        """Append what is new."""
        try:
            if self._source is None:
                self._source = os.open(self._path, _READ)
            size = os.fstat(self._source).st_size
        except OSError:
            return  # the log's own disk: the next look may find it
        for one in self.targets:
            one.follow(self._source, size)

    def close(self) -> None:
        """Close everything."""
        for one in self.targets:
            one.close()
        if self._source is not None:
            os.close(self._source)


class Followed:
    """The files of one attempt's output, and the thread that appends to them.

    Args:
        streams: the logs and the files that follow them.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams
        self._ending = threading.Event()
        self._abandoned = False
        self._notes: tuple[str, ...] | None = None
        self._until = self._last = float("inf")
        self._seen = -1

    def start(self) -> None:
        """Begin to follow."""
        if start_thread(self._run, "streams") is None:
            self._notes = tuple(_say(one, "no thread can be started") for one in self._users)

    @property
    def _users(self) -> list[Target]:
        return [one for stream in self._streams for one in stream.targets if not one.is_own]

    def ended(self, now_s: float) -> tuple[str, ...] | None:
        """Return the notes about the files once they have everything; None: ask again soon.

        Args:
            now_s: seconds that only run forward.
        """
        if not self._ending.is_set():
            self._ending.set()
            self._last = now_s + MOST_S
        if self._notes is not None:
            return self._notes
        moved = sum(one.moved for stream in self._streams for one in stream.targets)
        if moved != self._seen:
            self._seen, self._until = moved, min(now_s + PATIENCE_S, self._last)
        if now_s < self._until:
            return None
        self._abandoned = True
        why = "it takes too long" if now_s >= self._last else "its file system does not answer"
        return tuple(_say(one, why) for one in self._users)

    def _run(self) -> None:
        for stream in self._streams:
            for one in stream.targets:
                one.open()
        while not self._ending.wait(LOOK_S):
            for stream in self._streams:
                stream.look()
        for stream in self._streams:
            if not self._abandoned:
                stream.look()
            stream.close()
        self._notes = tuple(_say(one, one.trouble) for one in self._users if one.trouble)


def _say(target: Target, why: str) -> str:
    path = " ".join(target.path.splitlines())  # a note is one line
    return f"output file {path} could not be written: {why}; the log has everything"


def followed(order: Order, folder: JobFolder) -> Followed | None:
    """Return what follows the logs of an attempt; None if its user wants no files."""
    batch, number = order.batch, order.attempt.number
    if batch is None or not (batch.output or batch.error):
        return None

    def of_user(path: str) -> Target:
        return Target(path, appends=batch.appends, umask=batch.umask)

    output = [of_user(batch.output)] if batch.output else []
    log = folder.log_file(number)
    if not batch.error:
        return Followed([Stream(log, output)])
    return Followed(
        [
            Stream(folder.stdout_file(number), [Target(log, appends=True, is_own=True), *output]),
            Stream(
                folder.stderr_file(number),
                [Target(log, appends=True, is_own=True), of_user(batch.error)],
            ),
        ]
    )
