"""The highest job number that a command on the queue's host was told is in the queue.

The number is kept beside the queue's data, so that the server notices at its start if the data have
lost jobs. A command that enqueues on that host writes it after the queue has answered. That must
cost only microseconds, so the file is not flushed and this module uses only the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mlq.files.locks import lock
from mlq.settings.settings import Settings

_NAME = "acknowledged"
_DIGITS = 20


def acknowledge(settings: Settings, job_ids: Sequence[str]) -> bool:
    """Note that these jobs are in the queue; return whether they are its first.

    The note is optional: if it cannot be written, nothing happens.

    Args:
        settings: of this installation; a queue on another host has its note there.
        job_ids: their numbers.
    """
    number = max((int(one) for one in job_ids if one.isdecimal()), default=0)
    if settings.is_remote or not number:
        return False
    before = None
    with suppress(OSError):
        # The file is not created here: a folder without it holds no queue of this machine.
        path = settings.server_dir / _NAME
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            lock(descriptor)
            before = _number(os.pread(descriptor, _DIGITS, 0))
            if number > before:
                os.pwrite(descriptor, f"{number:0{_DIGITS}d}\n".encode(), 0)
        finally:
            os.close(descriptor)
    return before == 0


def acknowledged(server_dir: Path) -> int:
    """Return the highest number noted, 0 if there is none."""
    try:
        with (server_dir / _NAME).open("rb") as file:
            return _number(file.read(_DIGITS))
    except OSError:
        return 0


def begin(server_dir: Path, number: int) -> None:
    """Create the note with the last number that the queue's data know.

    Raises:
        OSError: it cannot be written.
    """
    path = server_dir / _NAME
    path.touch(mode=0o600)
    path.write_text(f"{number:0{_DIGITS}d}\n", encoding="ascii")


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() else 0
