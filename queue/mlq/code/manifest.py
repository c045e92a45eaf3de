"""What a pack of code holds, and the name that is computed from it.

A pack is `code/<hash>.tgz` on the results root, with its manifest `code/<hash>.manifest` beside it.
The hash is the sha256 of the manifest, which names every path, mode and content, and no time: the
same files always make the same pack, and any reader can check a pack against its name. Files that
the project's git ignores (data, weights) are in no pack; a job sees it through links to the live
folder, which are listed in `code/<hash of the list>.links`.

Invariant: no path here leads out of the project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

from mlq.errors import InvalidInputError

EXECUTABLE, PLAIN = 0o755, 0o644


class PackedFile(NamedTuple):
    """A regular file.

    Args:
        path: relative to the project, with `/`; bytes that are not UTF-8 as surrogates (PEP 383).
        mode: EXECUTABLE or PLAIN.
        size: in bytes.
        sha256: of its content, in hex.
    """

    path: str
    mode: int
    size: int
    sha256: str


class PackedLink(NamedTuple):
    """A symbolic link, kept as it is."""

    path: str
    target: str


class Manifest(NamedTuple):
    """What one pack holds."""

    files: tuple[PackedFile, ...]
    links: tuple[PackedLink, ...] = ()

    def text(self) -> bytes:
        """Return the one text of this manifest: an ASCII JSON list a line, in order of path."""
        rows: list[tuple[str, list[object]]] = [(one.path, ["file", *one]) for one in self.files]
        rows += [(one.path, ["link", *one]) for one in self.links]
        return _lines(row for _, row in sorted(rows, key=lambda row: row[0]))

    @property
    def digest(self) -> str:
        """The pack's hash."""
        return hashlib.sha256(self.text()).hexdigest()


def parse_manifest(text: bytes, digest: str) -> Manifest:
    """Return the manifest that has this digest.

    Raises:
        InvalidInputError: the text is another one, or a path in it leads out of the project.
    """
    files, links = [], []
    for row in _rows(text, digest):
        match row:
            case ["file", str(path), int(mode), int(size), str(sha256)]:
                files.append(PackedFile(_inside(path), mode, size, sha256))
            case ["link", str(path), str(target)]:
                links.append(PackedLink(_inside(path), target))
            case _:
                raise InvalidInputError(f"{row!r} is no entry of a pack")
    return Manifest(tuple(files), tuple(links))


def links_text(paths: Iterable[str]) -> bytes:
    """Return the one text of a list of paths that link to the live project."""
    return _lines([path] for path in sorted(paths))


def parse_links(text: bytes, digest: str) -> tuple[str, ...]:
    """Return the paths of a list that has this digest; raises what `parse_manifest` does."""
    found = []
    for row in _rows(text, digest):
        match row:
            case [str(path)]:
                found.append(_inside(path))
            case _:
                raise InvalidInputError(f"{row!r} is no path")
    return tuple(found)


def _lines(rows: Iterable[list[object]]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode("ascii")


def _rows(text: bytes, digest: str) -> list[object]:
    if hashlib.sha256(text).hexdigest() != digest:
        raise InvalidInputError(
            f"{digest} is the name of another content", why="it was cut short, or changed"
        )
    try:
        found: list[object] = json.loads(b"[" + b",".join(text.splitlines()) + b"]")
    except ValueError as error:
        raise InvalidInputError(f"{digest} cannot be read", why=str(error)) from None
    return found


def _inside(path: str) -> str:
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise InvalidInputError(f"{path!r} leads out of the project")
    return path
