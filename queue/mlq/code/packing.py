"""Writes the files of a snapshot as one archive, and checks existing archives.

A tar archive of regular files and symbolic links, compressed by gzip: any tar reads it. It holds no
times and no users, so the same files always make the same bytes. This module writes the headers
itself, because tarfile takes longer for them than the rest of a snapshot takes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from mlq.code.manifest import Manifest, PackedFile, PackedLink

# A snapshot is written while its user waits, and read once by each machine: speed before size.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS  # zlib.h, deflateInit2: a gzip header, without a time
_BLOCK = 512
_NAME_BYTES = 100
_FILE, _LINK, _LONG_NAME, _LONG_TARGET = b"0", b"2", b"L", b"K"  # tar(5), "GNU tar archives"


def pack(manifest: Manifest, content_of: Callable[[str], bytes]) -> bytes:
    """Return the archive of these files.

    Args:
        manifest: what is to be in it.
        content_of: returns the content of a file by its path.
    """
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    pieces = []
    entries: list[PackedFile | PackedLink] = [*manifest.files, *manifest.links]
    for one in sorted(entries, key=lambda one: one.path):
        if isinstance(one, PackedFile):
            content = content_of(one.path)
            head = _entry(one.path, _FILE, one.mode, len(content))
            pieces.append(squeeze.compress(head + _filled(content)))
        else:
            pieces.append(squeeze.compress(_entry(one.path, _LINK, 0o777, 0, one.target)))
    pieces += (squeeze.compress(b"\0" * 2 * _BLOCK), squeeze.flush())
    return b"".join(pieces)


class DamagedPackError(Exception):
    """An archive was cut short, or differs from its manifest."""


def is_pack_of(file: IO[bytes], manifest: Manifest) -> bool:
    """Return whether an archive is whole and holds exactly the files of the manifest.

    Raises:
        OSError: it cannot be read.
    """
    try:
        for _ in contents(file, manifest):
            pass
    except DamagedPackError:
        return False
    return True


def contents(file: IO[bytes], manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    """Return the path and the content of each file in an archive.

    Raises:
        DamagedPackError: it differs from the manifest; may also be raised after the last file.
        OSError: it cannot be read.
    """
    import gzip
    import tarfile

    left: dict[str, PackedFile | PackedLink] = {one.path: one for one in manifest.files}
    left |= {one.path: one for one in manifest.links}
    try:
        whole = gzip.GzipFile(fileobj=file)
        with tarfile.open(fileobj=whole, mode="r|", errors="surrogateescape") as archive:
            for member in archive:
                wanted = left.pop(member.name, None)
                if isinstance(wanted, PackedFile) and member.isreg():
                    inside = archive.extractfile(member)
                    # Read no more than the manifest says: the archive's own sizes are not trusted.
                    content = inside.read(wanted.size + 1) if inside else b""
                    digest = hashlib.sha256(content).hexdigest()
                    found = PackedFile(member.name, member.mode, len(content), digest)
                    if found != wanted:
                        raise DamagedPackError
                    yield member.name, content
                elif wanted != PackedLink(member.name, member.linkname) or not member.issym():
                    raise DamagedPackError
        while whole.read(1 << 20):
            pass  # read to the end, where gzip compares its checksum
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error):
        raise DamagedPackError from None
    if left:
        raise DamagedPackError


def _entry(path: str, kind: bytes, mode: int, size: int, target: str = "") -> bytes:
    name, link = os.fsencode(path), os.fsencode(target)
    head = _long(_LONG_NAME, name) + _long(_LONG_TARGET, link)
    return head + _header(name, kind, mode, size, link)


def _long(kind: bytes, name: bytes) -> bytes:
    """Return the entry for a name that is too long for a header; empty if it is short enough."""
    if len(name) <= _NAME_BYTES:
        return b""
    text = name + b"\0"
    return _header(b"././@LongLink", kind, stat.S_IRUSR, len(text), b"") + _filled(text)


def _header(name: bytes, kind: bytes, mode: int, size: int, link: bytes) -> bytes:
    before = b"%-100b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        *(name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"), mode, 0, 0, size, 0),
    )
    after = kind + link[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0") + b"ustar  \0"
    after = after.ljust(_BLOCK - 156, b"\0")
    check = sum(before) + sum(after) + 8 * 0x20  # tar(5): its own field counts as blanks
    return b"%b%06o\0 %b" % (before, check, after)


def _filled(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % _BLOCK)
