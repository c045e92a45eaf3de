"""Finds and reads the metrics files of a job's attempts.

Standard library only: a laptop that does not mount the results root sends this file to the queue's
host (`mlq_cli.remote.far_reader`).
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from mlq.files.strict_files import MIB, Content, read_file

METRICS_BYTES = 64 * MIB
"""Of a longer file only the end is read: a point for each second of a week."""

_ATTEMPTS_MOST = 10_000


class Bounds(NamedTuple):
    """How much of a job's metrics is read: so many of its last attempts, so many bytes of each."""

    attempts: int = _ATTEMPTS_MOST
    file_bytes: int = METRICS_BYTES


ALL = Bounds()


def metrics_files(
    root: str,
    folder: str,
    bounds: Bounds = ALL,
    before: int = sys.maxsize,
) -> list[tuple[int, bytes]]:
    """Return the content of each attempt's metrics file, the first attempt first.

    What cannot be read is left out, and so are attempts without metrics.

    Args:
        root: the results root.
        folder: the job's, below it.
        bounds: how much is read; of a longer file its end.
        before: only of attempts with a lower number.
    """
    found = []
    for attempt in [one for one in attempts_in(folder) if one < before][-bounds.attempts :]:
        path = f"{folder}/attempts/{attempt}/metrics.jsonl"
        read = read_file(root, path, bounds.file_bytes, tail=True)
        if isinstance(read, Content) and read.data:
            found.append((attempt, read.data))
    return found


def attempts_in(folder: str) -> list[int]:
    """Return the numbers of the attempts that have a folder below a job's, in order."""
    with suppress(OSError), os.scandir(f"{folder}/attempts") as entries:
        names = [one.name for one in islice(entries, _ATTEMPTS_MOST)]
        return sorted(int(one) for one in names if _is_number(one))
    return []


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and name[0] != "0" and len(name) < 10
