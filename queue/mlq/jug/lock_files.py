"""The locks in a jugdir and the notes of attempts, as files: read, and removed.

Nothing here decides which. Several workers may clear up at once, and jug may take a lock anew
meanwhile: a lock is moved aside, which only one of them can do, and put back if it is not the one
that was judged.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mlq.files.strict_files import Content, read_file
from mlq.files.strict_json import Parsed, read_json
from mlq.jug.locks import Lock, Note, owner_of

_LOCK_BYTES, _NOTE_BYTES = 4096, 4096
_FAILED_AT_S = 1  # jug marks the lock of a task that failed with this time


def folder_of(jugdir: str) -> str:
    """Return the folder that a jugdir names: `file_keepalive:` says only how locks are kept."""
    return jugdir.removeprefix("file_keepalive:").rstrip("/")


def notes_dir(root: Path, jugdir: str) -> Path:
    """Return where the attempts that work on a jugdir leave their notes."""
    return root / "jug" / sha256(os.fsencode(folder_of(jugdir))).hexdigest()[:32]


def read_notes(folder: Path, note: Callable[[str], None]) -> dict[Path, Note]:
    """Return the notes in a folder; `note` is told of those that cannot be read."""
    found = {}
    for path in _files(folder, ".json"):
        read = read_json(folder, path, _NOTE_BYTES)
        one = Note.of(read.value) if isinstance(read, Parsed) and _is_mapping(read.value) else None
        if one is None:
            note(f"{path} is not the note of an attempt")
        else:
            found[path] = one
    return found


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def read_locks(jugdir: str) -> list[tuple[Path, bytes, Lock]]:
    """Return the locks that lie there now: path, content, and what it says."""
    folder, found = Path(folder_of(jugdir)) / "locks", []
    for path in _files(folder, ".lock"):
        with suppress(FileNotFoundError):  # released meanwhile
            has_failed = int(path.stat().st_mtime) == _FAILED_AT_S
            read = read_file(folder, path, _LOCK_BYTES, any_owner=True)
            data = read.data if isinstance(read, Content) else b""
            owner = owner_of(data.decode(errors="replace"))
            found.append((path, data, Lock(path.stem, owner, has_failed)))
    return found


def remove_lock(path: Path, content: bytes) -> bool:
    """Remove a lock if it still has this content; return whether it was removed.

    Raises:
        OSError: the folder cannot be written.
    """
    aside = path.with_name(f"{path.stem}.{secrets.token_hex(8)}.gone")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    is_same = aside.read_bytes() == content
    if not is_same:
        with suppress(FileExistsError):
            path.hardlink_to(aside)
    aside.unlink()
    return is_same


def _files(folder: Path, ending: str) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(one.path) for one in entries if one.name.endswith(ending))
    except (FileNotFoundError, NotADirectoryError):
        return []
