"""Puts packs on the results root, and recognizes those that are there and whole.

A pack is one archive, because thousands of small files take minutes on NFS. It is written under a
temporary name, flushed and renamed, as are its manifest and the list of its links; the archive
comes last, so a reader that finds it finds the others, too. An existing pack is used again only if
it is known to be whole: this machine wrote or checked it, and it has not changed since. Otherwise
it is checked from end to end, and replaced if it is damaged.

A pack that is used again is touched, so that cleaning leaves alone every pack that was wanted
within the last `FRESH_S` seconds: its job may not be in the queue yet.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlq.code.manifest import Manifest, parse_manifest
from mlq.code.packing import DamagedPackError, contents, is_pack_of, pack
from mlq.errors import InvalidInputError, StorageError
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import check_ours_alone, make_private_dirs, private_dir
from mlq.files.root import WrongRootError, pinned, read_owner

FRESH_S = 86400.0
_TOUCH_S = FRESH_S / 4
_IN_PLACE = "or run the job in the live folder: --in-place"


class Shelf:
    """The packs on a results root.

    Args:
        root: the opened root (`mlq.files.root.pinned`).
        known: file name -> size, time and inode number of the whole ones; new findings are added.
        now_s: unix time.
    """

    def __init__(
        self, root: Layout, known: dict[str, list[Any]], now_s: Callable[[], float]
    ) -> None:
        self.folder = private_dir(root.code_dir)
        self._known, self._now_s = known, now_s

    def keep(
        self, manifest: Manifest, links: bytes, content_of: Callable[[str], bytes]
    ) -> tuple[str, str]:
        """Store a pack unless it is there; return the hashes of its manifest and its links.

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

    def has(self, digest: str, links_digest: str) -> bool:
        """Return whether a pack of this name is there, whole, with its list of links."""
        manifest = self.manifest(digest)
        if manifest is None or not self._is_there(
            f"{digest}.tgz", lambda path: _is_whole(path, manifest)
        ):
            return False
        return not links_digest or self._is_there(
            f"{links_digest}.links", lambda path: _has_digest(path, links_digest)
        )

    def manifest(self, digest: str) -> Manifest | None:
        """Return a pack's manifest; None if it is missing or damaged."""
        try:
            return parse_manifest((self.folder / f"{digest}.manifest").read_bytes(), digest)
        except (OSError, InvalidInputError):
            return None

    def contents(self, digest: str) -> dict[str, bytes]:
        """Return the contents in a pack by their sha256; none if it is missing or damaged."""
        manifest = self.manifest(digest)
        try:
            if manifest is not None:
                digests = {one.path: one.sha256 for one in manifest.files}
                with (self.folder / f"{digest}.tgz").open("rb") as file:
                    return {digests[path]: text for path, text in contents(file, manifest)}
        except (OSError, DamagedPackError):
            pass
        return {}

    def keep_text(self, name: str, text: bytes) -> None:
        """Store a file for people to read, unless it is there."""
        self._have(name, lambda _: True, lambda: text)

    def _have(self, name: str, is_right: Callable[[Path], bool], make: Callable[[], bytes]) -> None:
        if not self._is_there(name, is_right):
            path = self.folder / name
            write_atomically(path, make())
            self._note(name, _looked_at(path))

    def _is_there(self, name: str, is_right: Callable[[Path], bool]) -> bool:
        path = self.folder / name
        found = _looked_at(path)
        try:
            if found is None or (self._known.get(name) != found and not is_right(path)):
                return False
            if found[1] / 1e9 < self._now_s() - _TOUCH_S:
                os.utime(path)
                found = _looked_at(path)
        except FileNotFoundError:
            return False  # a cleaner removed it just now
        self._note(name, found)
        return True

    def _note(self, name: str, found: list[Any] | None) -> None:
        if found is not None:
            self._known[name] = found


@contextmanager
def opened_root(root: Path, queue_id: str, known_root: str) -> Iterator[Layout]:
    """Open the results root that this queue's workers use, or will use.

    Args:
        root: the results root.
        queue_id: of the queue.
        known_root: the root that the queue was given, as its first worker called it; "": none yet.

    Raises:
        StorageError: it is not the queue's root, or cannot be used.
        UnsafePathError: it is open to others.
    """
    try:
        if not known_root and read_owner(root) is None:
            # No worker has started yet: the first will make this folder the queue's root.
            make_private_dirs(root)
            check_ours_alone(root)
            queue_id = ""
        with pinned(Layout(root, queue_id)) as opened:
            yield opened
    except WrongRootError as error:
        raise StorageError(
            f"the code of the job cannot be put on the results root {root}",
            why=str(error.strerror),
            fix=f"enqueue where the root is mounted; if root is wrong, set it (`mlq config`); "
            f"{_IN_PLACE}",
        ) from None
    except OSError as error:
        raise StorageError(
            f"the code of the job cannot be written to {root}",
            why=error.strerror or str(error),
            fix=f"make room there; {_IN_PLACE}",
        ) from None


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


def _has_digest(path: Path, digest: str) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == digest
