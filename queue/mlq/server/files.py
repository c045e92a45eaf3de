"""The files of the queue's server, and what they say of a server that does not answer.

Cleaners of /tmp may delete the lock, pid file or socket of a running server. Without the lock file
a second server would write into the same data. So the final test is whether some server process has
the data folder as its working directory. A running server cannot get its socket back; mlq stops it
in order and starts it again, which loses nothing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import QueueUnreachableError, ServerError
from mlq.files.locks import is_locked, try_lock
from mlq.settings.settings import Settings

_LOG_TAIL_BYTES = 8000
# `8190:M 23 Nov 2026 22:15:01.123 # Bad file format ...`: `#` marks a warning.
_LOG_LINE = re.compile(r"^\d+:\w .{20,32}? ([#*.-]) (.*)$")
_CHATTER = ("oO0OoO0OoO0Oo", "Server initialized", "overcommit", "Transparent Huge", "WARNING")


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """The files in the data folder of the queue's server.

    Args:
        folder: server_dir.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """The file that is locked as long as the server runs."""
        return self.folder / "server.lock"

    @property
    def config(self) -> Path:
        """The configuration that the server was started with."""
        return self.folder / "redis.conf"

    @property
    def users(self) -> Path:
        """The server's users and their rights."""
        return self.folder / "users.acl"

    @property
    def writer(self) -> Path:
        """The note of which program writes the data."""
        return self.folder / "written-by.json"

    @property
    def trials(self) -> Path:
        """The results of the programs' trials."""
        return self.folder / "programs.json"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "redis.log"

    @property
    def pid_file(self) -> Path:
        """The server's process id; valid only while the lock is held."""
        return self.folder / "redis.pid"

    @contextmanager
    def locked(self) -> Iterator[int | None]:
        """Hold the lock; yield its descriptor, or None if another process holds it.

        Raises:
            ServerError: the folder cannot be written to.
        """
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ServerError(f"cannot write in {self.folder}", why=error.strerror or "") from None
        try:
            # A cleaner may have deleted the file that a running server has locked.
            free = try_lock(descriptor) and server_in(self.folder) is None
            yield descriptor if free else None
        finally:
            os.close(descriptor)

    def is_running(self) -> bool:
        """Return whether a server, or a command that is starting one, holds the lock."""
        try:
            return is_locked(self.lock) or server_in(self.folder) is not None
        except OSError as error:
            raise ServerError(f"cannot look into {self.folder}", why=error.strerror or "") from None

    def pid(self) -> int | None:
        """Return the server's process id; None if the server has not written it yet."""
        try:
            pid = int(self.pid_file.read_text(encoding="ascii"))
            # A command that is starting a server may hold the lock before it has removed the old
            # pid file.
            return pid if b"-server" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
        except FileNotFoundError:
            return server_in(self.folder)
        except (ProcessLookupError, ValueError):
            return None

    def configured_fsync(self) -> str:
        """Return the fsync policy that the server was started with."""
        text = self.config.read_bytes().decode(errors="replace") if self.config.exists() else ""
        found = re.search(r"^appendfsync (\w+)$", text, re.MULTILINE)
        return found[1] if found else ""

    def log_size(self) -> int:
        """Return the size of the log so far, in bytes."""
        return self.log.stat().st_size if self.log.exists() else 0

    def write_log(self, text: str) -> None:
        """Add a line of ours to the log, in the form of the server's own."""
        at = time.strftime("%d %b %Y %H:%M:%S.000")
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()}:M {at} * mlq: {text}\n")

    def last_words(self, said_before: int = 0) -> str:
        """Return the last log line that matters after byte `said_before`; "" if there is none."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(said_before, self.log_size() - _LOG_TAIL_BYTES))
            return last_words(file.read().decode(errors="replace"))

    def why_ended(self, said_before: int) -> ServerError:
        """Return the error that says why the server ended.

        Args:
            said_before: the size of the log before it was started.
        """
        why = self.last_words(said_before) or "it said nothing"
        fix = f"its log is {self.log}"
        if re.search(r"append only file|AOF", why) and "space" not in why:
            fix = (
                f"the queue's data in {self.folder} are damaged, and were left as they are: put "
                f"back a backup, or `mlq server restore` makes a queue anew from the results root; "
                f"{fix}"
            )
        elif "No space left" in why or "quota" in why.lower():
            fix = f"make room on the disk of {self.folder}; {fix}"
        return ServerError("the queue's server ended", why=why, fix=fix)


def last_words(log: str) -> str:
    """Return the line of a Redis log that says why the server ended, "" if there is none."""
    plain: list[str] = []
    warnings: list[str] = []
    for line in log.splitlines():
        match = _LOG_LINE.match(line)
        level, message = (match[1], match[2]) if match else ("", line.strip(" >*'"))
        if not message or any(word in message for word in _CHATTER):
            continue
        (warnings if level == "#" else plain).append(message)
    return next(iter(warnings[-1:] or plain[-1:]), "")


def server_in(folder: Path) -> int | None:
    """Return this user's server process that works in a folder; None if there is none."""
    try:
        ours = folder.stat()
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return None
    for pid in pids:
        with suppress(OSError):
            process = Path(f"/proc/{pid}")
            if process.stat().st_uid != os.getuid():
                continue
            if b"-server" not in (process / "cmdline").read_bytes():
                continue
            at = (process / "cwd").stat()
            if (at.st_dev, at.st_ino) == (ours.st_dev, ours.st_ino):
                return pid
    return None


_APPEARS_S = 1.0
_POLL_S = 0.02


def explained(error: QueueUnreachableError, settings: Settings) -> QueueUnreachableError:
    """Return why this machine's queue does not answer: the given error, or its underlying cause."""
    files = ServerFiles(settings.server_dir)
    try:
        if settings.redis_socket.exists() or not files.is_running():
            return error
    except OSError:
        return error
    return QueueUnreachableError(
        f"no queue answers at {settings.redis_socket}",
        why=f"the queue's server runs (process {files.pid()}), but its socket was removed, perhaps "
        "by a cleaner",
        fix="`mlq server start` starts it again in order; nothing is lost",
    )


def has_lost_socket(socket: Path, is_running: Callable[[], bool]) -> bool:
    """Return whether a server runs without its socket, and is not merely starting."""
    until_s = time.monotonic() + _APPEARS_S
    while is_running():
        if socket.exists():
            return False
        if time.monotonic() >= until_s:
            return True
        time.sleep(_POLL_S)
    return False


@contextmanager
def kept(folder: Path) -> Iterator[list[int]]:
    """Lock the socket's folder, so that systemd-tmpfiles skips it; the server inherits the lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try_lock(descriptor, shared=True)  # impossible while a cleaner holds the lock
        yield [descriptor]
    finally:
        os.close(descriptor)
