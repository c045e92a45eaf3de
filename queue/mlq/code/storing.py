"""Puts packs on the results root, and knows again those that are there and whole.

One archive instead of thousands of small files, which take minutes on NFS. It is written beside its
place, flushed and renamed, as are its manifest and the list of its links; the archive comes last,
so who finds it finds all. A pack that is there is used again only if it is known to be whole: this
machine wrote or checked it, and it is unchanged since. Otherwise it is checked from end to end, and
replaced if it was cut short.

A pack that is used again is touched, so that whoever cleans up leaves alone what was wanted within
the last `FRESH_S`: its job may not be in the queue yet.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlq.code.manifest import Manifest
from mlq.code.packing import is_pack_of, pack
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import private_dir

FRESH_S = 86400.0
_TOUCH_S = FRESH_S / 4


class Shelf:
    """The packs on a results root.

    Args:
        root: the opened root (`mlq.files.root.pinned`).
        known: file name -> size, time and number of those that are whole; what is found is added.
        now_s: unix time.
    """

    def __init__(
        self, root: Layout, known: dict[str, list[Any]], now_s: Callable[[], float]
    ) -> None:
        self.folder = private_dir(root.root / "code")
        self._known, self._now_s = known, now_s

    def keep(
        self, manifest: Manifest, links: bytes, content_of: Callable[[str], bytes]
    ) -> tuple[str, str]:
        """Have a pack there, and return the hashes of its manifest and of its list of links.

        Args:
            manifest: what is in it.
            links: the list of its links; empty if there are none.
            content_of: returns the content of a file.

        Raises:
            OSError: it cannot be written.
            UnsafePathError: the folder is open to others.
        """
        text = manifest.text()
        digest = hashlib.sha256(text).hexdigest()
        links_digest = hashlib.sha256(links).hexdigest() if links else ""
        self._have(f"{digest}.manifest", lambda path: _same(path, text), lambda: text)
        if links:
            self._have(f"{links_digest}.links", lambda path: _same(path, links), lambda: links)
        self._have(
            f"{digest}.tgz",
            lambda path: _is_whole(path, manifest),
            lambda: pack(manifest, content_of),
        )
        return digest, links_digest

    def keep_text(self, name: str, text: bytes) -> None:
        """Have a file there that is only to be read."""
        self._have(name, lambda _: True, lambda: text)

    def _have(self, name: str, is_right: Callable[[Path], bool], make: Callable[[], bytes]) -> None:
        path = self.folder / name
        found = _looked_at(path)
        if found is None or (self._known.get(name) != found and not is_right(path)):
            write_atomically(path, make())
            found = _looked_at(path)
        elif found[1] / 1e9 < self._now_s() - _TOUCH_S:
            os.utime(path)
            found = _looked_at(path)
        if found is not None:
            self._known[name] = found


def _looked_at(path: Path) -> list[Any] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _same(path: Path, text: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(text) + 1) == text


def _is_whole(path: Path, manifest: Manifest) -> bool:
    with path.open("rb") as file:
        return is_pack_of(file, manifest)
