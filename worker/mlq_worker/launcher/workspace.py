"""A job's own copy of its code: made once, kept from attempt to attempt, and taken away at its end.

`jobs/<id>/work` and, for projects beside it, `jobs/<id>/code/<n>`; next to each lies a marker
(`work.json`) that says how far it is. `unpacking` names the job's own files from before, so that an
interrupted unpacking can begin again and touch none of them. A `whole` copy is never touched again.
After `removing` a later attempt removes what is left, and unpacks anew; after `removed` only the
job's own files are left. Invariant: nothing is removed while a later attempt may run. An attempt
makes its folder before it reads the marker, and the removing thread writes the marker before it
looks for that folder. So one of the two sees the other.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from mlq.code.manifest import parse_links, parse_manifest
from mlq.errors import InvalidInputError
from mlq.files.layout import JobFolder, Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.strict_files import MIB, Content, Unreadable, read_file
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.values import Copied, Order
from mlq_worker.launcher.lookup import NOT_USABLE, Failure, check_folder
from mlq_worker.launcher.pack_cache import PackCache, PackError, read_list
from mlq_worker.launcher.unchanged import remove_unchanged, torn
from mlq_worker.launcher.unpacking import Tree, checked, existing, unpack

UNPACKING, WHOLE, REMOVING, REMOVED = "unpacking", "whole", "removing", "removed"
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_MARKER_BYTES = 64 * MIB


class Marker(NamedTuple):
    """How far a copy is; `state` is "" if there is none.

    `kept` are the job's own paths, `boot_id` that of the machine when it was written.
    """

    state: str
    copied: Copied
    kept: tuple[str, ...] = ()
    boot_id: str = ""

    def write(self, path: str) -> None:
        """Write the marker into place."""
        raw = {**self._asdict(), "copied": self.copied._asdict()}
        # If a power cut undoes the first marker there is none, which means the same.
        flush = self.state != UNPACKING or bool(self.kept)
        write_atomically(path, json.dumps(raw).encode("ascii"), flush=flush)


_NONE = Marker("", Copied("", "", ""))


def read_marker(root: Layout, path: str) -> Marker:
    """Return the marker of a copy; one that the job has damaged counts as none.

    Raises:
        OSError: the storage failed. If that counted as none, unpacking would overwrite the job's
            changes.
    """
    found = read_file(root.root, path, _MARKER_BYTES)
    if isinstance(found, Unreadable):
        raise OSError(errno.EIO, found.why, path)
    if not isinstance(found, Content):
        return _NONE
    try:
        raw = json.loads(found.data)
        copied = Copied(*(str(raw["copied"][name]) for name in Copied._fields))
        return Marker(str(raw["state"]), copied, tuple(map(str, raw["kept"])), str(raw["boot_id"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _NONE


class Workspaces:
    """The copies that one launcher makes and takes away; may be used by several threads.

    Args:
        note: writes a line into the machine's log.
        boot_id: of the machine.
    """

    def __init__(self, note: Callable[[str], None], boot_id: str = "") -> None:
        self._cache, self._boot_id = PackCache(note), boot_id
        self._cache_dir = ""

    def fill(self, order: Order, root: Layout) -> None:
        """Make a job's copies, if they are not there.

        Args:
            order: of an attempt whose folder is there.
            root: opened.

        Raises:
            Failure: they cannot be made.
            OSError: of the disk.
        """
        code = order.code
        if code is None:
            return
        self._cache_dir = code.cache_dir
        job = root.folder(order.attempt.job_id)
        for place in (job.work_dir, os.path.dirname(job.beside_dir(1))):  # noqa: PTH120 - text
            _make_way(place)
        for number, copied in enumerate(code.projects):
            folder = _folder(job, number)
            try:
                self._fill_one(root, folder, copied, "" if number else code.subfolder)
            except PackError as error:
                raise _failure(error, order) from None

    def _fill_one(self, root: Layout, folder: str, copied: Copied, subfolder: str) -> None:
        marker_path = f"{folder}.json"
        marker = read_marker(root, marker_path)
        if marker.copied != copied:
            marker = _NONE
        start = f"{folder}/{subfolder}".rstrip("/")
        is_whole = marker.state == WHOLE and os.path.isdir(start)  # noqa: PTH112 - speed
        if is_whole and marker.boot_id == self._boot_id:
            return
        tree = self._tree(root, copied)
        if tree.live:
            check_folder(copied.project)
        if marker.state == REMOVING:
            remove_unchanged(tree, folder)
        is_new = make_private_dirs(folder)
        if marker.state != UNPACKING:
            kept = frozenset(existing(tree, folder) if marker.state and not is_new else ())
            if is_whole:  # and its machine may have lost power before all was on its disk
                broken = torn(tree, folder, marker_path)
                if not broken:
                    return
                kept = frozenset(tree.paths()) - broken
            marker = Marker(UNPACKING, copied, tuple(kept), self._boot_id)
            marker.write(marker_path)
        try:
            self._unpack(root, tree, (copied, folder, subfolder), marker)
        except OSError as error:
            if error.errno in _FULL:
                # Others need what is left of the disk, and half a copy is useless.
                with suppress(OSError):
                    remove_unchanged(tree.without(frozenset(marker.kept)), folder)
            raise
        marker._replace(state=WHOLE, kept=()).write(marker_path)

    def _unpack(
        self, root: Layout, tree: Tree, where: tuple[Copied, str, str], marker: Marker
    ) -> None:
        copied, folder, subfolder = where
        kept = frozenset(marker.kept)
        try:
            with self._cache.open_pack(root, copied.pack, self._cache_dir) as source:
                unpack(source, tree, folder, subfolder, kept)
        except PackError:
            # The pack in the machine's cache may be damaged, and the results root's intact.
            if not self._cache.drop(copied.pack, self._cache_dir):
                raise
            with self._cache.open_pack(root, copied.pack, self._cache_dir) as source:
                unpack(source, tree, folder, subfolder, kept)

    def _tree(self, root: Layout, copied: Copied) -> Tree:
        manifest, links = f"{copied.pack}.manifest", f"{copied.links}.links"
        try:
            packed = parse_manifest(read_list(root, manifest), copied.pack)
            live = parse_links(read_list(root, links), copied.links) if copied.links else ()
        except InvalidInputError as error:
            raise PackError(f"{error.what}: {error.why or 'no pack'}", is_over=True) from None
        return checked(Tree(packed, live, copied.project))

    def tidy(self, attempt: AttemptId, root: Layout) -> None:
        """Remove what is still as it was unpacked of a job that has ended for good.

        Args:
            attempt: its last.
            root: opened.

        Raises:
            OSError: of the disk; a later cleaning goes on.
        """
        job = root.folder(attempt.job_id)
        for number in range(_copies(job)):
            folder = _folder(job, number)
            marker = read_marker(root, f"{folder}.json")
            if marker.state not in (WHOLE, REMOVING):
                continue
            with suppress(PackError):  # without the pack the job's own files cannot be told apart
                tree = self._tree(root, marker.copied)
                marker._replace(state=REMOVING).write(f"{folder}.json")
                if _runs_again(job, attempt.number):
                    return
                remove_unchanged(tree, folder)
                if os.path.lexists(folder):
                    marker._replace(state=REMOVED).write(f"{folder}.json")
                else:
                    os.unlink(f"{folder}.json")  # noqa: PTH108 - speed
        with suppress(OSError):
            os.rmdir(f"{job.path}/code")  # noqa: PTH106 - speed


def _folder(job: JobFolder, number: int) -> str:
    return job.beside_dir(number) if number else job.work_dir


def _copies(job: JobFolder) -> int:
    number = 1
    while os.path.lexists(f"{_folder(job, number)}.json"):
        number += 1
    return number


def _make_way(place: str) -> None:
    """Remove what a job has put in the place of a folder: a link, or another file."""
    with suppress(FileNotFoundError):
        mode = os.lstat(place).st_mode
        if stat.S_ISLNK(mode):
            os.unlink(place)  # noqa: PTH108 - speed
        elif not stat.S_ISDIR(mode):
            os.rename(place, f"{place}.before")  # noqa: PTH104 - speed


def _runs_again(job: JobFolder, attempt: int) -> bool:
    names = os.listdir(job.attempts_dir)  # noqa: PTH208 - names
    return any(name.isdecimal() and int(name) > attempt for name in names)


def _failure(error: PackError, order: Order) -> Failure:
    if error.is_over:
        reason = f"the job's code cannot be used: {error.reason}"
        return Failure("unstartable", NOT_USABLE, reason)
    # A pack that is gone is no fault of this machine: the job is tried again, not for ever.
    cause = Cause(Kind.JOB_FOLDER, order.job_dir) if error.missing else None
    return Failure("storage", None, f"the job's code cannot be read: {error.reason}", cause)
