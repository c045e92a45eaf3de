"""Which files of a project go into its pack, and which a job sees through links: pure.

A pack holds code. It never holds `.git`, files that Python compiles, or an environment; an
environment is used where it is. Files that git ignores are data, weights and secrets, and are used
live, too. So is a large untracked file, because it is more likely a result than code, and a folder
that `mlq pull` made: otherwise fetching results would change the code of what is enqueued next.

Invariant: each path is in `files`, or below one of `links`, or is a disposable cache.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from mlq.code.listing import Listing

LARGE_BYTES = 10 << 20
GIT_FOLDER, CACHE = ".git", "__pycache__"
PULLED = ".mlq-pull"
"""A folder in each folder that `mlq pull` made."""

_NEVER = frozenset((GIT_FOLDER, CACHE))
# The entries of an environment that was made in the project's own folder.
_TOP_OF_ENVIRONMENT = frozenset(
    ("bin", "lib", "lib64", "include", "share", "etc", "conda-meta", "pyvenv.cfg")
)


class Seen(NamedTuple):
    """The status of a file or link.

    Args:
        mode: of `lstat`.
        size: in bytes.
        target: of a link.
    """

    mode: int
    size: int
    target: str = ""


class Choice(NamedTuple):
    """Where each of a project's files goes; paths in order.

    Args:
        files: regular files of the pack.
        kept: symbolic links of the pack, with their targets.
        links: what a job sees live.
        large: those of `links` that are untracked files of more than `LARGE_BYTES`.
    """

    files: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    links: tuple[str, ...]
    large: tuple[str, ...]


def is_used_live(names: Collection[str]) -> bool:
    """Return whether a folder with these entries is a Python environment, or was pulled."""
    return "pyvenv.cfg" in names or "conda-meta" in names or PULLED in names


def choose(listing: Listing, seen: Mapping[str, Seen], subfolder: str = "") -> Choice:
    """Return which of a project's files are taken.

    Args:
        listing: what git says of it.
        seen: the status of its files; missing files are left out.
        subfolder: where the job starts: its folder is never a link.
    """
    untracked = frozenset(listing.untracked)
    whole = _used_live(listing)
    files, kept, live, large = [], [], [], []
    for path in listing.files:
        if not _NEVER.isdisjoint(path.split("/")):
            continue
        if above := _above(path, whole):
            live.append(above)
        elif (found := seen.get(path)) is None:
            continue
        elif stat.S_ISLNK(found.mode):
            # A relative link out of the project would be broken in the copy.
            if leads_out(path, found.target):
                live.append(path)
            else:
                kept.append((path, found.target))
        elif stat.S_ISREG(found.mode):
            if found.size > LARGE_BYTES and path in untracked:
                large.append(path)
            else:
                files.append(path)
    folders = _folders([*files, *(path for path, _ in kept), *live, *large])
    folders |= _folders([f"{subfolder}/."]) if subfolder else frozenset()
    ignored = (one for one in listing.ignored if _NEVER.isdisjoint(one.split("/")))
    links = {*_highest(ignored, folders), *live, *large}
    return Choice(tuple(files), tuple(kept), tuple(sorted(links)), tuple(large))


def leads_out(path: str, target: str) -> bool:
    """Return whether a relative link at this path leads out of the project."""
    if target.startswith("/"):
        return False
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).startswith("..")


def _used_live(listing: Listing) -> frozenset[str]:
    """Return the environments, and the folders that were pulled."""
    found = set()
    for path in (*listing.tracked, *listing.untracked):
        if f"/{PULLED}/" in path:
            found.add(path.partition(f"/{PULLED}/")[0])
        elif path.endswith("pyvenv.cfg") or "conda-meta/" in path:
            folder, _, name = path.rpartition("/")
            if name == "pyvenv.cfg":
                found.add(folder)
            elif posixpath.basename(folder) == "conda-meta":
                found.add(posixpath.dirname(folder))
    if "" in found:
        found |= _TOP_OF_ENVIRONMENT
    return frozenset(found - {""})


def _above(path: str, folders: Collection[str]) -> str:
    """Return which of the folders a path is in, "" if it is in none."""
    for one in folders:
        if path == one or path.startswith(f"{one}/"):
            return one
    return ""


def _folders(paths: Iterable[str]) -> frozenset[str]:
    """Return all folders above these paths, the project itself ("") among them."""
    found = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return frozenset(found)


def _highest(ignored: Iterable[str], folders: Collection[str]) -> set[str]:
    """Return the highest ignored paths: a whole folder without code in it, not its parts."""
    found = set()
    for one in ignored:
        top = one
        while (above := top.rpartition("/")[0]) not in folders:
            top = above
        if top not in folders:  # an ignored folder that nevertheless contains code
            found.add(top)
    return found
