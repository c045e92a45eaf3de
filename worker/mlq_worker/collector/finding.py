"""Looks for files of metrics in a job's own folders.

A job may have a million files there, so a walk is bounded in depth and in entries, follows no link,
passes over folders of programs, and the more it has to look at, the more seldom it is repeated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

FileKind = Literal["table", "state", "events", "summary"]

MOST_FILES = 64
_DEPTH = 8
_MOST_ENTRIES = 20_000
_MOST_IN_A_FOLDER = 5000
_PASSED_OVER = frozenset(("__pycache__", "node_modules", "site-packages", "venv"))
_VERSION = re.compile(r"\d+")


class FoundFile(NamedTuple):
    """A file that may hold metrics.

    Args:
        kind: what it holds. path: of the file.
        written_s: when it was last written, unix time. size: in bytes. inode: of the file.
    """

    kind: FileKind
    path: str
    written_s: float
    size: int
    inode: int


class Walk(NamedTuple):
    """What a walk found: files, older versions first, and at how many entries it looked."""

    files: list[FoundFile]
    entries: int


def find_files(folders: list[str]) -> Walk:
    """Return the files of metrics in these folders and below them."""
    budget = _MOST_ENTRIES
    found: list[FoundFile] = []
    for folder in folders:
        waiting = [(folder, 0)]
        while waiting and budget > 0:
            place, depth = waiting.pop(0)  # what lies near the top is looked at first
            for entry in islice(_entries(place), min(budget, _MOST_IN_A_FOLDER)):
                budget -= 1
                if _is_folder(entry):
                    if depth < _DEPTH and entry.name not in _PASSED_OVER:
                        waiting.append((entry.path, depth + 1))
                else:
                    found += _file(entry)
    return Walk(sorted(found, key=lambda one: _by_version(one.path)), _MOST_ENTRIES - budget)


def _entries(place: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            yield from entries
    except OSError:
        return


def _is_folder(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _file(entry: os.DirEntry[str]) -> list[FoundFile]:
    kind = kind_of(entry.name)
    if kind is None:
        return []
    try:
        if not entry.is_file(follow_symlinks=False):
            return []
        stat = entry.stat(follow_symlinks=False)
    except OSError:
        return []
    return [FoundFile(kind, entry.path, stat.st_mtime, stat.st_size, stat.st_ino)]


def kind_of(name: str) -> FileKind | None:
    """Return what a file of this name holds; None if it is none of ours."""
    if "events.out.tfevents." in name:
        return "events"
    names: dict[str, FileKind] = {
        "metrics.csv": "table",
        "trainer_state.json": "state",
        "wandb-summary.json": "summary",
    }
    return names.get(name)


def _by_version(path: str) -> tuple[str, ...]:
    """Return a key by which `version_10` comes after `version_9`."""
    return tuple(_VERSION.sub(lambda number: number[0].zfill(20), path).split("/"))
