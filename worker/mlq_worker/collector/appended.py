"""Reads what was appended to a file since it was last read.

A file is told from the one before by its inode, by having become shorter, and by its first bytes:
programs write a table or a log anew in place. What a place in a file is, is JSON-able, so that a
collector that was started again goes on there.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from mlq.files.strict_files import MIB, open_file

_HEAD_BYTES = 256
_LONGEST_LINE = 1 << 16


class Mark(NamedTuple):
    """How far a file was read.

    Args:
        inode: of the file; 0: none was read yet.
        offset: up to where.
        head, head_bytes: a checksum of its first bytes, and of how many.
        in_line: whether the offset lies within a line whose rest is to be left out.
    """

    inode: int = 0
    offset: int = 0
    head: int = 0
    head_bytes: int = 0
    in_line: bool = False


def mark_of(raw: object) -> Mark:
    """Return the mark that a list of its values gives; a new one if it is none."""
    if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) != len(Mark._fields):
        return Mark()
    if not all(isinstance(one, int) and one >= 0 for one in raw):
        return Mark()
    inode, offset, head, head_bytes, in_line = raw
    return Mark(inode, offset, head, head_bytes, bool(in_line))


class Piece(NamedTuple):
    """A part of a file.

    Args:
        data: from `mark.offset` on.
        mark: of the file as it is now.
        is_anew: whether the file is another one than before, or was written anew.
        size: of the whole file, in bytes.
    """

    data: bytes
    mark: Mark
    is_anew: bool
    size: int

    @property
    def is_end(self) -> bool:
        """Whether the file ends with it."""
        return self.mark.offset + len(self.data) >= self.size


def read_appended(
    folder: str, path: str, mark: Mark, most_bytes: int = MIB, *, most_behind: int | None = None
) -> Piece | None:
    """Return what follows a mark; None if there is nothing new or the file cannot be read.

    Args:
        folder: the folder below which no link is followed.
        path: the file.
        mark: how far it was read.
        most_bytes: of what is returned.
        most_behind: of more than so many new bytes only the last `most_bytes` are read.
    """
    opened = open_file(folder, path)
    if not isinstance(opened, int):
        return None
    try:
        found = os.fstat(opened)
        is_anew = _is_anew(opened, found, mark)
        if is_anew:
            mark = Mark(found.st_ino)
        offset, in_line = mark.offset, mark.in_line
        if most_behind is not None and found.st_size - offset > max(most_behind, most_bytes):
            offset, in_line = found.st_size - most_bytes, True
        data = os.pread(opened, most_bytes, offset) if found.st_size > offset else b""
        head_bytes = min(_HEAD_BYTES, offset + len(data))
        head = zlib.crc32(os.pread(opened, head_bytes, 0))
    except OSError:
        return None  # it is looked at again
    finally:
        os.close(opened)
    if not data and not is_anew:
        return None
    now = Mark(found.st_ino, offset, head, head_bytes, in_line)
    return Piece(data, now, is_anew, found.st_size)


def _is_anew(opened: int, found: os.stat_result, mark: Mark) -> bool:
    if found.st_ino != mark.inode or found.st_size < mark.offset:
        return True
    return zlib.crc32(os.pread(opened, mark.head_bytes, 0)) != mark.head


class Lines(NamedTuple):
    """The whole lines of a piece.

    Args:
        lines: without their ends.
        rest: what follows the last of them.
        mark: where they end.
    """

    lines: list[bytes]
    rest: bytes
    mark: Mark


def lines_of(piece: Piece, *, is_last: bool, with_returns: bool = False) -> Lines:
    """Return the whole lines of a piece.

    Args:
        piece: of a file.
        is_last: whether nothing is appended any more, so that the last line is whole as it is.
        with_returns: whether a carriage return ends a line, too.
    """
    data, mark = piece.data, piece.mark
    is_whole = is_last and piece.is_end
    end = len(data) if is_whole else 1 + data.rfind(b"\n")
    if with_returns and not is_whole:
        end = max(end, 1 + data.rfind(b"\r"))
    rest = data[end:]
    if len(rest) > _LONGEST_LINE:  # no line of ours: what comes of it is left out
        return Lines(
            _split(data[:end], mark.in_line, with_returns),
            rest[-_LONGEST_LINE:],
            mark._replace(offset=mark.offset + len(data), in_line=True),
        )
    in_line = mark.in_line and not end
    lines = _split(data[:end], mark.in_line, with_returns)
    return Lines(lines, rest, mark._replace(offset=mark.offset + end, in_line=in_line))


def _split(data: bytes, in_line: bool, with_returns: bool) -> list[bytes]:
    if with_returns:
        data = data.replace(b"\r", b"\n")
    lines = data.split(b"\n")
    return lines[1:] if in_line else lines
