"""The end of the append-only log after a crash: a torn end is cut off, any other damage is refused.

A power cut leaves half a command, or zeros where the file system had made room, at the very end.
The server gave no reply for that (fsync `always`), so nothing acknowledged lies there. It is cut
off, and kept beside the log. Whatever else does not read as commands is damage: then the log stays
as it is, since what lies behind the damage was acknowledged.
"""

from __future__ import annotations

import mmap
import os
import time
from dataclasses import dataclass
from pathlib import Path

from mlq.files.layout import write_atomically
from mlq.units import utc_stamp

# Bytes. Only this much of the end is read if the start of a command can be found there; otherwise
# all of the log.
_TAIL_BYTES = 2 << 20
_TRANSACTION = b"\r\n*1\r\n$5\r\nMULTI\r\n"
_LONGEST_LINE = 64
_LONGEST_TEXT = 512 << 20  # Redis' own limit
_ZEROS = b"\0"

Data = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Torn:
    """From this byte on, the end was torn off."""

    at: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """At this byte something stands that no server wrote."""

    at: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut off a log, and where it is kept."""

    log: Path
    at: int
    size: int
    kept: Path

    def undo(self) -> None:
        """Put the end back, so that the log is as it was found."""
        with self.log.open("r+b") as file:
            # A server that was started for the check may have noted keys that have expired since.
            file.truncate(self.at)
            file.seek(self.at)
            file.write(self.kept.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        self.kept.unlink()

    def __str__(self) -> str:
        return (
            f"{self.size} bytes were cut off the end of {self.log} at byte {self.at}: a crash had "
            f"torn it in the middle of a write; they are kept in {self.kept}"
        )


class _ShortError(Exception):
    """The data end within a command."""


class _BadError(Exception):
    """This is no command."""


def examine(log: Path) -> Torn | Damaged | None:
    """Return what is wrong with a log; None if all of it reads as commands.

    A file that begins with a base in the servers' own format is not looked into.

    Raises:
        OSError: it cannot be read.
    """
    if not log.stat().st_size:
        return None
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:5] in (b"REDIS", b"VALKE"):
            return None
        known = data.find(_TRANSACTION, max(0, len(data) - _TAIL_BYTES))
        found = verdict(data, known + 2) if known > 0 else Damaged(0)
        # The same bytes may also occur within a text; then what follows does not parse as commands.
        return verdict(data, 0) if isinstance(found, Damaged) else found


def verdict(data: Data, start: int) -> Torn | Damaged | None:
    """Return what is wrong with commands that begin at `start`."""
    size, at, transaction = len(data), start, -1
    while at < size:
        try:
            end, name = _command(data, at)
        except _ShortError:
            return Torn(at if transaction < 0 else transaction)
        except _BadError:
            rest = bytes(data[at:]).rstrip(_ZEROS)
            if len(rest) == size - at or not _is_half(rest):
                return Damaged(at)
            return Torn(at if transaction < 0 else transaction)
        if name == b"MULTI":
            if transaction >= 0:
                return Damaged(at)
            transaction = at
        elif name == b"EXEC":
            transaction = -1
        at = end
    return None if transaction < 0 else Torn(transaction)


def cut_off(log: Path, at: int, folder: Path) -> Cut:
    """Cut off a log's end after keeping a copy of it.

    Args:
        log: the log.
        at: where its end begins.
        folder: where the copy goes.

    Raises:
        OSError: there is no room for the copy; the log is as it was.
    """
    with log.open("r+b") as file:
        file.seek(at)
        end = file.read()
        stamp = utc_stamp(time.time())
        kept = folder / f"{log.name}.torn-{stamp}-{at}"
        write_atomically(kept, end)
        file.truncate(at)
        os.fsync(file.fileno())
    return Cut(log, at, len(end), kept)


def _command(data: Data, at: int) -> tuple[int, bytes]:
    """Return where the command at `at` ends, and its name."""
    if data[at : at + 1] == b"#":  # an annotation, such as a time
        return _line(data, at)[0], b""
    at, count = _header(data, at, b"*")
    name = b""
    for number in range(count):
        at, length = _header(data, at, b"$")
        end = at + length
        if data[end : end + 2] != b"\r\n":
            half = b"\r\n".startswith(data[end : end + 2]) and end + 2 > len(data)
            # If a text reaches beyond the end of the file but holds commands, its length is wrong.
            raise _ShortError if half and data.find(b"\r\n*", at) < 0 else _BadError
        if number == 0:
            name = data[at:end].upper()
        at = end + 2
    return at, name


def _header(data: Data, at: int, mark: bytes) -> tuple[int, int]:
    if at >= len(data):
        raise _ShortError
    if data[at : at + 1] != mark:
        raise _BadError
    end, text = _line(data, at)
    # int() would accept spaces and signs, too.
    if not text[1:].isdigit() or (number := int(text[1:])) > _LONGEST_TEXT:
        raise _BadError
    return end, number


def _line(data: Data, at: int) -> tuple[int, bytes]:
    end = data.find(b"\r\n", at, at + _LONGEST_LINE)
    if end < 0:
        rest = data[at : at + _LONGEST_LINE]
        digits = rest[1:].removesuffix(b"\r")
        half = len(rest) < _LONGEST_LINE and (not digits or digits.isdigit() or rest[:1] == b"#")
        raise _ShortError if half else _BadError
    return end + 2, data[at:end]


def _is_half(rest: bytes) -> bool:
    """Return whether this is empty or the beginning of a command."""
    if not rest:
        return True
    try:
        _command(rest, 0)
    except _ShortError:
        return True
    except _BadError:
        return False
    return False
