"""Clears what a killed job leaves in /dev/shm; names, but keeps, what may belong to others.

Python and PyTorch remove their segments in a helper process. If that is killed with the job, the
segments take memory until the next reboot. Invariant: a file is removed only if a process of the
job was seen to hold it, it was not there when the job was prepared, it is ours, a library gave it a
name for segments of one run, and no process holds it now. A data set that a job keeps in /dev/shm
for the next one is not touched.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from mlq.units import format_mib
from mlq_worker.ipc.kept_listing import KeptListing

FOLDER = "/dev/shm"  # noqa: S108 - that is what this is about
# Python's shared_memory, multiprocessing and loky; PyTorch; NCCL; CUDA; Open MPI; Intel's OpenMP.
_OF_ONE_RUN = re.compile(
    r"(psm_|mp-|pym-|sem\.|torch_|nccl-|cuda\.shm\.|vader_segment\.|sm_segment\.|__KMP_REGISTERED_)"
)
_DELETED = " (deleted)"
_NAMED = 3  # of those that are left


class Segment(NamedTuple):
    """A file that lies in the folder."""

    name: str
    inode: int
    size_mib: int
    ours: bool


class Present:
    """What lies there, asked before each job; listed again only after it has changed."""

    def __init__(self) -> None:
        self._listing = KeptListing(FOLDER, _inodes)

    def inodes(self) -> frozenset[int]:
        """Return the inodes of all that lies there now."""
        try:
            return self._listing.look()
        except OSError:
            return frozenset()


def _inodes(folder: str) -> frozenset[int]:
    with os.scandir(folder) as entries:
        return frozenset(entry.inode() for entry in entries)


def held_by(pids: Iterable[int]) -> set[int]:
    """Return the inodes of the files there that these processes have open or mapped.

    May wait for a process that hangs in the kernel.
    """
    try:
        device = os.stat(FOLDER).st_dev  # noqa: PTH116 - no Path is made of it
    except OSError:
        return set()
    mark = f" {os.major(device):02x}:{os.minor(device):02x} "
    found: set[int] = set()
    for pid in pids:
        with suppress(OSError):  # gone, or not ours to look at
            found |= _mapped(pid, mark)
            found |= _open(pid, device)
    return found


def _mapped(pid: int, mark: str) -> set[int]:
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        lines = [line for line in file if f" {FOLDER}/" in line and mark in line]
    return {int(line.split(maxsplit=5)[4]) for line in lines}


def _open(pid: int, device: int) -> set[int]:
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - numbers only
        path = f"/proc/{pid}/fd/{name}"
        with suppress(OSError):
            if os.readlink(path).startswith(f"{FOLDER}/"):  # noqa: PTH115 - first, so that no disk is asked
                status = os.stat(path)  # noqa: PTH116
                if status.st_dev == device:
                    found.add(status.st_ino)
    return found


def segments() -> list[Segment]:
    """Return what lies there."""
    found = []
    with suppress(OSError), os.scandir(FOLDER) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                ours = status.st_uid == os.getuid() and stat.S_ISREG(status.st_mode)
                mib = -(-status.st_blocks * 512 // 1048576)
                found.append(Segment(entry.name, status.st_ino, mib, ours))
    return found


def choose(
    lying: Iterable[Segment], before: frozenset[int], of_the_job: set[int], in_use: set[int]
) -> tuple[list[Segment], list[Segment]]:
    """Return what to remove, and what to name.

    Args:
        lying: what lies there now.
        before: what lay there when the job was prepared.
        of_the_job: what its processes were seen to hold.
        in_use: what any process holds now.
    """
    new = [one for one in lying if one.ours and one.inode not in before | in_use]
    remove = [one for one in new if one.inode in of_the_job and _OF_ONE_RUN.match(one.name)]
    return remove, [one for one in new if one not in remove]


def clear(before: frozenset[int], of_the_job: set[int]) -> list[str]:
    """Remove what a job left, and say so; called when none of its processes is left."""
    lying = segments()
    if all(not one.ours or one.inode in before for one in lying):
        return []
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - numbers only
    remove, left = choose(lying, before, of_the_job, held_by(pids))
    removed = [one for one in remove if _removed(one)]
    notes = []
    if removed:
        notes.append(f"removed what it had left in {FOLDER}: {_named(removed)}")
    if left:
        notes.append(f"new in {FOLDER} since it began, and used by no process: {_named(left)}")
    return notes


def _removed(segment: Segment) -> bool:
    path = f"{FOLDER}/{segment.name}"
    try:
        if os.lstat(path).st_ino != segment.inode:
            return False
        os.unlink(path)  # noqa: PTH108 - names may be no UTF-8
    except OSError:
        return False
    return True


def _named(some: list[Segment]) -> str:
    some = sorted(some, key=lambda one: (-one.size_mib, one.name))
    words = [f"{one.name} ({format_mib(one.size_mib)})" for one in some[:_NAMED]]
    if len(some) > _NAMED:
        rest = sum(one.size_mib for one in some[_NAMED:])
        words.append(f"{len(some) - _NAMED} more ({format_mib(rest)})")
    return ", ".join(words)
