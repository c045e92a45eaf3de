"""Notices that a job has emptied its own log, and keeps what was in it.

`echo x > /dev/stderr` opens the file that standard error is once more, and cuts it off. Nothing can
keep an ordinary user's file from that but a process between the job and its log, which would take
the job's last words along if it were killed. So the log is looked at each second, from a thread:
its latest text is kept in memory, and written beside it once it is gone.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

KEPT_BYTES = 1 << 18
_FILE_BYTES = 1 << 20
_TAIL_BYTES = 64
SUFFIX = ".before"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class LogWatch:
    """One log.

    Args:
        path: where it lies.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._size = 0
        self._kept = b""
        self._is_emptied = self._is_saved = False

    @property
    def has_text(self) -> bool:
        """Whether there was something in it at the last look."""
        return self._size > 0

    def look(self) -> None:
        """Keep what is new, and save what is gone; may wait for the disk."""
        with suppress(OSError):
            log = os.open(self._path, _READ)
            try:
                status = os.fstat(log)
                if stat.S_ISREG(status.st_mode):
                    self._compare(log, status.st_size)
            finally:
                os.close(log)

    def _compare(self, log: int, size: int) -> None:
        tail = self._kept[-_TAIL_BYTES:]
        if size < self._size or os.pread(log, len(tail), self._size - len(tail)) != tail:
            gone, self._kept = self._kept, b""
            self._is_emptied, self._size = True, 0
            self._is_saved |= self._save(gone)
        start = max(self._size, size - KEPT_BYTES)
        new = os.pread(log, size - start, start)
        self._kept = new if start > self._size else (self._kept + new)[-KEPT_BYTES:]
        self._size = start + len(new)

    def _save(self, text: bytes) -> bool:
        beside = os.open(self._path + SUFFIX, _WRITE, 0o600)
        try:
            status = os.fstat(beside)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _FILE_BYTES:
                return False
            return os.write(beside, text) > 0
        finally:
            os.close(beside)

    def say(self) -> list[str]:
        """Return what is to be said of it in the end."""
        self.look()
        if not self._is_emptied:
            return []
        where = (
            f"what was in it a second before is in {os.path.basename(self._path)}{SUFFIX}"  # noqa: PTH119 - a name
            if self._is_saved
            else "what was in it is lost"
        )
        return [
            f"its log was emptied while it ran; {where} (`> /dev/stderr` does that, `>&2` does not)"
        ]
