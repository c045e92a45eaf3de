"""Reads the metrics of jobs, step by step, from the results root, if that is here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from mlq.errors import StorageError
from mlq.files.layout import Layout
from mlq.files.metrics_files import metrics_files
from mlq.files.side_by_side import results
from mlq.metrics.member import Member
from mlq.metrics.series import Point, merged, points_of


def curves_here(layout: Layout, members: Sequence[Member]) -> dict[str, list[Point]]:
    """Return the points of each job, all attempts together: id -> points.

    Raises:
        StorageError: the results root is not here.
    """
    if not layout.jobs_dir.is_dir():
        raise StorageError(
            f"no results root {layout.root}",
            why="whole curves are read from there",
            fix="run this on a machine that has it; the command `mlq results` needs none",
        )
    folders = [layout.folder(one.id).path for one in members]
    read = results(partial(metrics_files, str(layout.root)), folders)
    found = zip(members, read, strict=True)
    return {one.id: merged(attempts_of(files)) for one, files in found}


def attempts_of(files: Iterable[tuple[int, bytes]]) -> list[list[Point]]:
    """Return the points of each metrics file of a job (`mlq.files.metrics_files`)."""
    return [list(points_of(data)) for _, data in files]
