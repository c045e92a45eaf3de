"""The files of a snapshot as a tree that can be compared and written.

Invariant: nothing is written outside the named folder; links are made last, so that no file is
written through a link.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mlq.code.manifest import Manifest, PackedFile, PackedLink

Entry = PackedFile | PackedLink


class Tree(NamedTuple):
    """Files, and where their contents are.

    Args:
        entries: by path.
        content_of: returns the content of a file.
    """

    entries: dict[str, Entry]
    content_of: Callable[[str], bytes]

    @classmethod
    def of(cls, manifest: Manifest, content_of: Callable[[str], bytes]) -> Tree:
        """Return the tree of a manifest."""
        entries: list[Entry] = [*manifest.files, *manifest.links]
        return cls({one.path: one for one in entries}, content_of)

    def write(self, folder: Path, paths: Iterable[str]) -> None:
        """Write these of its files into a folder, replacing existing ones.

        Raises:
            OSError: one cannot be written.
        """
        links = []
        paths = list(paths)
        # All or nothing: every content is read before any file is written.
        texts = {
            path: self.content_of(path)
            for path in paths
            if isinstance(self.entries[path], PackedFile)
        }
        for path in paths:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            match self.entries[path]:
                case PackedFile(mode=mode):
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                    with os.fdopen(os.open(place, flags, mode), "wb") as file:
                        file.write(texts[path])
                case PackedLink(target=target):
                    links.append((place, target))
        for place, target in links:
            place.symlink_to(target)


def differing(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> list[str]:
    """Return the paths at which two trees differ, in order."""
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


def make_links(folder: Path, links: Iterable[str], project: str) -> None:
    """Make the links of a snapshot to live files; leave existing entries alone."""
    for path in links:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place):
            place.symlink_to(f"{project}/{path}")
