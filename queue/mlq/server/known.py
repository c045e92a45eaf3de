"""Whether this installation had a queue before: a server without data must not hide that.

An empty server in the place of a full one looks like a new queue, and gives out old numbers again.
Two things outlive its data: a note beside the settings, and the results root.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path

from mlq.errors import LostDataError
from mlq.layout import Layout, write_atomically
from mlq.settings import Settings
from mlq.strict_files import QUEUE_FILE_BYTES, Content, read_file

# The root is mostly NFS, which may hang; then it tells nothing.
_ROOT_S = 3.0
_NAME = "queue.json"


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
    if told := _queue_in(_read_root(settings.root, queue_file)):
        _refuse(settings, queue_file, told)


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
    read: list[bytes] = []

    def look() -> None:
        found = read_file(root, path, QUEUE_FILE_BYTES)
        if isinstance(found, Content):
            read.append(found.data)

    # A daemon: nobody waits for a thread that hangs in NFS, not even the end of the program.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_ROOT_S)
    return read[0] if read else b""


def _queue_in(data: bytes) -> dict[str, str]:
    try:
        note = json.loads(data)
        return {name: str(value) for name, value in note.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}
