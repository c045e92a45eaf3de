"""Whose session the seat of this machine shows, as systemd-logind knows it.

Asked through libsystemd (or libelogind, which has the same functions). Without either, the files
are read that it reads. Idle hints and lists of sessions are not asked for: desktops do not set the
hint, and people long gone stay listed.

Nothing here raises: what cannot be found out is unknown.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from mlq_worker.guest.desk.desk import Session

SEAT = "seat0"
RUN = Path("/run/systemd")
_LIBRARIES = ("libsystemd.so.0", "libelogind.so.0")
_MOST_BYTES = 1 << 16


class Seat(NamedTuple):
    """Whether there is a seat, and the session that it shows; None: none, or unknown."""

    exists: bool
    active: Session | None = None


class Logind(Protocol):
    """What the seat is asked through."""

    def seat(self) -> Seat:
        """Look at the seat."""


def logind() -> Logind:
    """Return libsystemd if this machine has it, else what reads its files."""
    for name in _LIBRARIES:
        try:
            return Libsystemd(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    return LogindFiles()


class Libsystemd:
    """Asks libsystemd.

    Args:
        library: it, loaded.

    Raises:
        AttributeError: the library lacks a function.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._active: Callable[..., int] = library.sd_seat_get_active
        self._kind: Callable[..., int] = library.sd_session_get_class
        self._uid: Callable[..., int] = library.sd_session_get_uid
        self._free: Callable[..., None] = ctypes.CDLL(None).free

    def seat(self) -> Seat:
        """Look at the seat."""
        name = ctypes.c_char_p()
        found = self._active(SEAT.encode("ascii"), ctypes.byref(name), None)
        if found < 0:
            return Seat(exists=found == -errno.ENODATA)
        session, uid, kind = name.value or b"", ctypes.c_uint32(), ctypes.c_char_p()
        self._free(name)
        if self._uid(session, ctypes.byref(uid)) < 0:
            return Seat(exists=True)  # it has just ended
        said = b""
        if self._kind(session, ctypes.byref(kind)) >= 0:
            said = kind.value or b""
            self._free(kind)
        return Seat(True, Session(uid.value, said.decode("ascii", "replace")))


class LogindFiles:
    """Reads the files of logind.

    Args:
        run: the folder of systemd's state.
    """

    def __init__(self, run: Path = RUN) -> None:
        self._run = run

    def seat(self) -> Seat:
        """Look at the seat."""
        seat = _variables(self._run / "seats" / SEAT)
        if seat is None:
            return Seat(exists=False)
        name = seat.get("ACTIVE", "")
        session = _variables(self._run / "sessions" / name) if name and "/" not in name else None
        uid = (session or {}).get("UID", "")
        if session is None or not uid.isdigit():
            return Seat(exists=True)
        return Seat(True, Session(int(uid), session.get("CLASS", "")))


def _variables(path: Path) -> dict[str, str] | None:
    """Return the variables of a file; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    parts = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip('"') for name, equals, value in parts if equals}
