"""Writes a project as a pack holds it.

Every file's content is checked against the manifest before it is written, and the manifest's digest
is in the signed job, so a pack that was swapped or cut short yields no file. Invariant: nothing is
written outside the folder, since no path of the manifest leads through a link, and links come last.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mlq.code.manifest import Manifest, PackedFile, PackedLink
from mlq.files.side_by_side import each
from mlq_worker.launcher.pack_cache import PackError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree(NamedTuple):
    """What a copy of a project consists of.

    Args:
        manifest: of its pack.
        live: paths that are links to the live project.
        project: the live project.
    """

    manifest: Manifest
    live: tuple[str, ...]
    project: str

    def links(self) -> dict[str, str]:
        """Return all links: path -> where it leads; what is in the pack wins."""
        packed = {one.path for one in self.manifest.files}
        live = {path: f"{self.project}/{path}" for path in self.live if path not in packed}
        return {**live, **{one.path: one.target for one in self.manifest.links}}

    def without(self, paths: Collection[str]) -> Tree:
        """Return the tree without these files and links."""
        files = tuple(one for one in self.manifest.files if one.path not in paths)
        links = tuple(one for one in self.manifest.links if one.path not in paths)
        live = tuple(one for one in self.live if one not in paths)
        return self._replace(manifest=Manifest(files, links), live=live)

    def paths(self) -> list[str]:
        """Return the paths of all that is made but folders."""
        return [*(one.path for one in self.manifest.files), *self.links()]


def checked(tree: Tree) -> Tree:
    """Return the tree.

    Raises:
        PackError: one of its paths leads through a file or link of its own.
    """
    manifest = tree.manifest
    ends = {one.path for one in manifest.files} | {one.path for one in manifest.links}
    if len(ends) != len(manifest.files) + len(manifest.links):
        raise PackError("it names a path twice", is_over=True)
    for path in tree.paths():
        for one in above(path):
            if one in ends:
                raise PackError(f"its path {path!r} leads through {one!r}", is_over=True)
    # A link that lies in another link would be made in the live project.
    links = set(tree.live)
    return tree._replace(live=tuple(one for one in tree.live if links.isdisjoint(above(one))))


def existing(tree: Tree, folder: str) -> list[str]:
    """Return which paths of a tree are there already."""
    found: list[str] = []

    def look(path: str) -> None:
        if os.path.lexists(f"{folder}/{path}"):
            found.append(path)

    each(tree.paths(), look)
    return found


def unpack(
    source: BinaryIO, tree: Tree, folder: str, subfolder: str, kept: Collection[str]
) -> None:
    """Make a copy of a project.

    Args:
        source: its pack.
        tree: what the copy must hold.
        folder: the folder to unpack into; it exists already.
        subfolder: a folder in it that must exist in the end.
        kept: paths that belong to the job; an interrupted unpacking left everything else.

    Raises:
        PackError: the pack is not what its name says.
        OSError: of the disk.
    """
    folders = {one for path in tree.paths() for one in above(path)}
    if subfolder and subfolder not in tree.links():
        folders |= {subfolder, *above(subfolder)} - set(tree.links())
    closed = _make_folders(folder, folders)

    is_new = not kept and not closed

    def is_ours(path: str) -> bool:
        return is_new or (path not in kept and closed.isdisjoint(above(path)))

    def write(found: tuple[PackedFile, bytes]) -> None:
        file, data = found
        if is_ours(file.path):
            _replacing(lambda path: _write(path, data, file.mode), f"{folder}/{file.path}")

    def link(item: tuple[str, str]) -> None:
        path, target = item
        if is_ours(path):
            _replacing(lambda path: Path(path).symlink_to(target), f"{folder}/{path}")

    each(_contents(source, tree.manifest), write)
    each(tree.links().items(), link)


def above(path: str) -> list[str]:
    """Return the folders above a path, the highest first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _make_folders(folder: str, folders: Iterable[str]) -> set[str]:
    """Make folders; return those whose place something else takes."""
    closed: set[str] = set()

    def make(path: str) -> None:
        if not closed.isdisjoint(above(path)):
            return
        try:
            os.mkdir(f"{folder}/{path}", 0o700)  # noqa: PTH102 - speed
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(f"{folder}/{path}").st_mode):
                closed.add(path)

    levels: dict[int, list[str]] = {}
    for one in folders:
        levels.setdefault(one.count("/"), []).append(one)
    for depth in sorted(levels):
        each(levels[depth], make)
    return closed


def _contents(source: BinaryIO, manifest: Manifest) -> Iterator[tuple[PackedFile, bytes]]:
    """Yield each file of a pack with its content, checked."""
    wanted: dict[str, PackedFile | PackedLink] = {one.path: one for one in manifest.files}
    wanted |= {one.path: one for one in manifest.links}
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=source, mode="r|gz", encoding="utf-8") as tar:
            for member in tar:
                one = wanted.get(member.name)
                if one is None or member.name in seen:
                    raise _other(f"it holds {member.name!r}")
                seen.add(member.name)
                if isinstance(one, PackedFile):
                    yield one, _checked_content(tar, member, one)
                elif not member.issym() or member.linkname != one.target:
                    raise _other(f"{one.path!r} is another link")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _other(str(error)) from None
    if missing := wanted.keys() - seen:
        raise _other(f"{min(missing)!r} is missing")


def _checked_content(tar: tarfile.TarFile, member: tarfile.TarInfo, file: PackedFile) -> bytes:
    if not member.isreg() or member.size != file.size:
        raise _other(f"{file.path!r} is another file")
    reader = tar.extractfile(member)
    data = reader.read() if reader is not None else b""
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise _other(f"{file.path!r} has another content")
    return data


def _other(why: str) -> PackError:
    return PackError(f"it was cut short or changed: {why}", is_over=True)


def _write(path: str, data: bytes, mode: int) -> None:
    file = os.open(path, _NEW, 0o700 if mode & stat.S_IXUSR else 0o600)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(file, left) :]
        finally:
            os.close(file)  # NFS may say only now that its disk is full
    except OSError:
        with suppress(OSError):  # half a file would keep a full disk full
            os.unlink(path)  # noqa: PTH108 - speed
        raise


def _replacing(make: Callable[[str], None], path: str) -> None:
    try:
        make(path)
    except FileExistsError:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            return
        os.unlink(path)  # noqa: PTH108 - speed
        make(path)
