"""Takes a project and puts its pack on the results root, so that both agree.

The pack must hold exactly what the snapshot lists, although a file whose content was remembered is
read only when it is packed. If a file changed in between, the project is taken again, up to three
times; then the error names the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from mlq.code.git import Git
from mlq.code.manifest import Manifest
from mlq.code.project import Project
from mlq.code.provenance import diff_name, uncommitted
from mlq.code.reading import changes, read_whole
from mlq.code.snapshot import InPlace, Snapshot, Taker

_TRIES = 3


class KeptPack(NamedTuple):
    """A project whose pack is on the root.

    Args:
        snapshot: what was taken.
        pack, links: the hashes of its manifest and of its list of links; "" for no links.
        dirty: whether it differs from the commit.
    """

    snapshot: Snapshot
    pack: str
    links: str
    dirty: bool


class _ChangedError(Exception):
    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)


class Shelves(Protocol):
    """The packs on a results root, wherever it is mounted (see `mlq.code.storing.Shelf`)."""

    def keep(
        self, manifest: Manifest, links: bytes, content_of: Callable[[str], bytes]
    ) -> tuple[str, str]:
        """Store a pack unless it is there; return the hashes of its manifest and its links."""

    def keep_text(self, name: str, text: bytes) -> None:
        """Store a file for people to read, unless it is there."""


class Elsewhere(Protocol):
    """A results root that is not mounted here, reached through the queue's host."""

    def opened(self, known: dict[str, list[Any]]) -> AbstractContextManager[Shelves]:
        """Open the packs there; `known` is what is remembered of them, and is added to."""

    def missing_folders(self, known: dict[str, list[Any]], folders: Sequence[str]) -> list[str]:
        """Return which of these paths are not folders there."""

    def listed(self, place: str, folders: Sequence[str]) -> list[str]:
        """Return the entries of these folders there; the names of folders end in /."""

    def close(self) -> None:
        """End the connection."""


OpenShelf = Callable[[dict[str, list[Any]]], AbstractContextManager[Shelves]]
"""Opens the packs on the root; its argument is what is remembered of them, and is added to."""


Live = Callable[[Git, Snapshot], Snapshot]


def as_here(_git: Git, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot unchanged: its links lead to live files here."""
    return snapshot


class Keeper:
    """Takes projects and stores their packs.

    Args:
        taker: takes them.
        open_shelf: opens the packs on the results root.
    """

    def __init__(self, taker: Taker, open_shelf: OpenShelf) -> None:
        self._taker, self._open_shelf = taker, open_shelf

    def keep(self, project: Project, live: Live = as_here) -> KeptPack | InPlace:
        """Take a project as it is now, and store its pack on the root.

        Args:
            project: the project.
            live: makes a snapshot's links lead to the live files where the job runs.

        Raises:
            InvalidInputError: it holds too much, or git does not list it.
            StorageError: a file cannot be read, or the root cannot be written.
            UnsafePathError: the folder of packs is open to others.
        """
        changed = ""
        for _ in range(_TRIES):
            snapshot = self._taker.take(project)
            if isinstance(snapshot, InPlace):
                return snapshot
            try:
                return self._stored(live(self._taker.git, snapshot))
            except _ChangedError as error:
                changed = error.path
                snapshot.memory.files.pop(changed, None)
            finally:
                snapshot.memory.keep()
        raise changes(project.folder, changed, _TRIES)

    def _stored(self, snapshot: Snapshot) -> KeptPack:
        known, commit = snapshot.memory, snapshot.commit
        with self._open_shelf(known.packs) as shelf:
            content_of = _contents_of(snapshot)
            pack, links = shelf.keep(snapshot.manifest, snapshot.links_text, content_of)
            name = diff_name(pack, commit)
            if commit and name not in known.dirty:
                if text := uncommitted(self._taker.git, snapshot):
                    shelf.keep_text(name, text)
                known.dirty[name] = bool(text)
        dirty = snapshot.has_untracked or known.dirty.get(name, False)
        return KeptPack(snapshot, pack, links, dirty)


class Looker:
    """Takes projects as a `Keeper` does, but writes nothing: for a dry run.

    Args:
        taker: takes them.
    """

    def __init__(self, taker: Taker) -> None:
        self._taker = taker

    def keep(self, project: Project, live: Live = as_here) -> KeptPack | InPlace:
        """Take a project as it is now; raises what `Keeper.keep` does."""
        snapshot = self._taker.take(project)
        if isinstance(snapshot, InPlace):
            return snapshot
        snapshot = live(self._taker.git, snapshot)
        links = snapshot.links_text
        digest = hashlib.sha256(links).hexdigest() if links else ""
        return KeptPack(snapshot, snapshot.manifest.digest, digest, snapshot.has_untracked)


def _contents_of(snapshot: Snapshot) -> Callable[[str], bytes]:
    """Return a function that returns a file's content, reading files that were not read before."""
    digests = {one.path: one.sha256 for one in snapshot.manifest.files}

    def content_of(path: str) -> bytes:
        content = snapshot.contents.get(path)
        if content is None:
            content, _ = read_whole(snapshot.project.folder, path)
            if hashlib.sha256(content).hexdigest() != digests[path]:
                raise _ChangedError(path)
        return content

    return content_of
