"""Whether this installation had a queue before: an empty server must not hide it.

An empty server in the place of a full one looks like a new queue, and gives out old numbers again.
Two things survive the loss of the server's data: a note beside the settings, and the results root.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlq.copies.keeper import LATEST, copies_dir
from mlq.errors import LostDataError
from mlq.files.layout import Layout, write_atomically
from mlq.files.strict_files import QUEUE_FILE_BYTES, Content, open_file, read_file
from mlq.server.witness import Expected
from mlq.settings.settings import Settings
from mlq.threads import run_at_most

# Seconds. The root is usually on NFS, which may hang; then it counts as saying nothing.
_ROOT_S = 3.0
_NAME = "queue.json"
_LONGEST_HEADER = 64 * 1024


def note_of(settings: Settings) -> Path:
    """Return the note beside the settings."""
    return settings.password_file.with_name(_NAME)


def remember(settings: Settings, queue_id: str = "") -> None:
    """Remember which queue this installation has, and where its data are.

    Args:
        settings: of this installation.
        queue_id: of the queue, "" if it has none yet.
    """
    path = note_of(settings)
    note = json.dumps({"queue": queue_id, "server_dir": str(settings.server_dir)}).encode()
    with suppress(OSError):
        if not (path.exists() and path.read_bytes() == note):
            write_atomically(path, note)


def refuse_second(settings: Settings) -> None:
    """Make sure that no queue was here before.

    Raises:
        LostDataError: there was one.
    """
    if noted := _queue_in(_read(note_of(settings))):
        _refuse(settings, note_of(settings), noted)
    queue_file = Layout(settings.root).queue_file
    if told := _queue_in(_bounded(lambda: _read_root(settings.root, queue_file))):
        _refuse(settings, queue_file, told)


def copied(settings: Settings, queue_id: str) -> list[Expected]:
    """Return what the copy on the results root says of the queue's job numbers.

    The copy is at most a minute old, so this detects a loss even if no command on the queue's host
    ever enqueued a job.
    """
    path = copies_dir(Layout(settings.root)) / LATEST
    header = _bounded(lambda: _first_line(settings.root, path))
    try:
        told = json.loads(header)
        last, of_queue = int(told["last_number"]), told["queue"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [Expected(last, path)] if queue_id and of_queue == queue_id else []


def _first_line(root: Path, path: Path) -> bytes:
    opened = open_file(root, path)
    if not isinstance(opened, int):
        return b""
    with os.fdopen(opened, "rb") as file, gzip.GzipFile(fileobj=file) as copy:
        return copy.readline(_LONGEST_HEADER)


def _refuse(settings: Settings, told_by: Path, note: dict[str, str]) -> None:
    before = note.get("server_dir", "")
    moved = before and before != str(settings.server_dir)
    raise LostDataError(
        f"the queue's data are not in {settings.server_dir}",
        why=f"{told_by} tells of a queue {note.get('queue', '')}".rstrip()
        + (f" in {before}" if moved else ""),
        fix="is server_dir (XDG_DATA_HOME, MLQ_SERVER_DIR) as usual, and its disk mounted? "
        "`mlq server restore` makes the queue anew from the results root; "
        "`mlq server start --accept-loss` begins another",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _read_root(root: Path, path: Path) -> bytes:
    found = read_file(root, path, QUEUE_FILE_BYTES)
    return found.data if isinstance(found, Content) else b""


def _bounded(ask: Callable[[], bytes]) -> bytes:
    """Return the answer; nothing if the call fails or takes too long."""
    read: list[bytes] = []

    def look() -> None:
        with suppress(OSError, EOFError, zlib.error):
            read.append(ask())

    run_at_most(_ROOT_S, look, "root")
    return read[0] if read else b""


def _queue_in(data: bytes) -> dict[str, str]:
    try:
        note = json.loads(data)
        return {name: str(value) for name, value in note.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}
