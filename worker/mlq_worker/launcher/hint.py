"""A hint for jobs that fail because their copy lacks files outside what was copied.

A copy holds what git lists, and links to what git ignores. It lacks what lies beside the project
(`../data`) and untracked files over the size limit; and the job may have no right to write into a
live folder by its absolute path. Such a job fails soon, and says so at the end of its log.
"""

from __future__ import annotations

import os
import re
import stat

SOON_S = 60.0
HINT = (
    "it ran in a copy of its project, and some file may be missing there: `mlq enqueue --in-place` "
    "runs in the live folder, and .mlqignore says what is copied (docs/experiments.md)"
)
_TAIL_BYTES, _LINES = 4096, 10
_TELLS = re.compile(rb"No such file|Permission denied")
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def hint_of(tail: bytes) -> str:
    """Return what to say of a job with this end of its log; "" if nothing."""
    lines = tail.splitlines()[-_LINES:]
    return HINT if any(_TELLS.search(line) for line in lines) else ""


def read_hint(path: str) -> str:
    """Return what to say of the job that wrote this log; "" if nothing. May wait for the disk."""
    return hint_of(read_tail(path, _TAIL_BYTES))


def read_tail(path: str, size: int) -> bytes:
    """Return the last bytes of a log; none if it cannot be read. May wait for the disk."""
    try:
        log = os.open(path, _READ)
        try:
            status = os.fstat(log)
            if not stat.S_ISREG(status.st_mode):
                return b""
            return os.pread(log, size, max(0, status.st_size - size))
        finally:
            os.close(log)
    except OSError:
        return b""
