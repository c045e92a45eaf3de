"""Tells what a job made in its copy of a project from what was unpacked there.

It runs wherever `far_tree` runs. The marker beside each copy says which pack it was made from. A
job could forge it; then it would only decide what of its own files is fetched.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from mlq.code.as_packed import is_as_packed
from mlq.code.manifest import Manifest, PackedFile, parse_manifest
from mlq.errors import InvalidInputError
from mlq.files.strict_files import MIB, Content, read_file

_LIST_BYTES = 64 * MIB
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CACHE = "__pycache__"
_NOTHING = Manifest(())


class Copy(NamedTuple):
    """A copy of a project: its files when unpacked, by path, its links, and where its data are.

    `is_unpacking` says that not all of the files are there yet.
    """

    files: Mapping[str, PackedFile] = {}
    links: Mapping[str, str] = {}
    project: str = ""
    is_unpacking: bool = False


def is_of_pack(folder: int, name: str, path: str, copy: Copy) -> bool:
    """Return whether a file is as it was unpacked, or Python has compiled it from one that was.

    Args:
        folder: the folder that it is in, open.
        name: its name there.
        path: where it is in the copy.
        copy: what was unpacked.

    Raises:
        OSError: it cannot be read.
    """
    packed = copy.files.get(path)
    if packed is None:
        cache, _, compiled = path.rpartition("/")
        if not compiled.endswith(".pyc") or cache.rpartition("/")[2] != _CACHE:
            return False
        return f"{cache[: -len(_CACHE)]}{compiled.split('.', 1)[0]}.py" in copy.files
    if copy.is_unpacking:
        return True
    opened = os.open(name, _FILE, dir_fd=folder)
    try:
        return is_as_packed(opened, packed)
    finally:
        os.close(opened)


def is_own_link(folder: int, name: str, path: str, copy: Copy) -> bool:
    """Return whether a link was unpacked, or made by mlq to what is live; see `is_of_pack`."""
    target = os.readlink(name, dir_fd=folder)
    is_live = bool(copy.project) and target == f"{copy.project}/{path}"
    return is_live or target == copy.links.get(path)


def copy_of(root: str, place: str, path: str, known: dict[str, Any]) -> Copy:
    """Return what a copy was made from; nothing if that cannot be told, so all of it counts.

    Args:
        root: the results root.
        place: the job's folder, relative to the root.
        path: of the copy, relative to the job's folder.
        known: keeps the contents of packs: the next job may have the same.
    """
    found = read_file(root, f"{root}/{place}/{path}.json", _LIST_BYTES, any_owner=True)
    if not isinstance(found, Content):
        return Copy()
    try:
        raw = json.loads(found.data)
        state, pack = str(raw["state"]), str(raw["copied"]["pack"])
        project = str(raw["copied"]["project"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Copy()
    if pack not in known:
        known[pack] = _by_path(_manifest(root, pack))
    files, links = known[pack]
    return Copy(files, links, project, is_unpacking=state == "unpacking")


def _by_path(manifest: Manifest) -> tuple[dict[str, PackedFile], dict[str, str]]:
    files = {one.path: one for one in manifest.files}
    return files, {one.path: one.target for one in manifest.links}


def _manifest(root: str, pack: str) -> Manifest:
    if not _DIGEST.fullmatch(pack):
        return _NOTHING
    found = read_file(root, f"{root}/code/{pack}.manifest", _LIST_BYTES, any_owner=True)
    with suppress(InvalidInputError):
        return parse_manifest(found.data, pack) if isinstance(found, Content) else _NOTHING
    return _NOTHING
