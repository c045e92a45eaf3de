"""Where the worker's log goes, and how it stays small.

In the background: `worker.log` in the machine's runtime folder, 1 MB and two older files. In the
foreground: standard error, which a terminal shows and systemd's journal keeps.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from mlq.files.locks import is_at

_MAX_BYTES = 1_000_000
_OLDER_FILES = 2
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _RotatingStderr(RotatingFileHandler):
    """A rotating log file that is standard error too, so that no word of a crash is lost."""

    def emit(self, record: logging.LogRecord) -> None:
        # What is written to a file that a cleaner deleted would be lost.
        if self.stream is not None and not is_at(Path(self.baseFilename), self.stream.fileno()):
            self.stream.close()
            self.stream = self._open()
        super().emit(record)

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.dup2(stream.fileno(), 2)
        return stream


@contextmanager
def log_to(path: Path | None) -> Iterator[None]:
    """Log to a rotating file, or to standard error if `path` is None, while the context lasts."""
    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = _RotatingStderr(path, maxBytes=_MAX_BYTES, backupCount=_OLDER_FILES)
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def size(path: Path) -> int:
    """Return the size of a log in bytes; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
