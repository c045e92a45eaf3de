"""Folders in which programs number their runs: old runs are live, new runs are the job's own.

Lightning takes the first free `lightning_logs/version_N`; Hydra names a run after the second of its
start. Twenty simultaneous jobs that share such a folder would write into one run. So the folder
itself is not a link, but each run in it is: an old checkpoint can be read at its relative path. A
folder of the same name without such runs is treated like any other folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

_VERSION, _DATE, _TIME = r"version_\d+", r"\d{4}-\d\d-\d\d", r"\d\d-\d\d-\d\d"
# Folder name -> patterns of the names of its runs, from the top level down.
_RUNS = {
    "lightning_logs": (_VERSION,),
    "outputs": (_DATE, _TIME),
    "multirun": (_DATE, _TIME),
}
# Each job makes a link for each run; the latest runs are the most likely to be read.
_MOST = 200


def with_runs(project: str, links: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that a job sees live, with the runs in such folders in place of the folders.

    Args:
        project: the live folder.
        links: paths in it.
    """
    found: list[str] = []
    for path in links:
        names = _RUNS.get(path.rpartition("/")[2])
        found += _below(project, path, names) if names else [path]
    return tuple(sorted(found))


def is_of_runs(path: str) -> bool:
    """Return whether a folder of this name is one in which runs are numbered."""
    return path.rpartition("/")[2] in _RUNS


def _below(project: str, path: str, names: tuple[str, ...]) -> list[str]:
    place = f"{project}/{path}"
    if not names or os.path.islink(place):  # noqa: PTH114 - speed
        return [path]
    try:
        inside = os.listdir(place)  # noqa: PTH208 - names, not paths
    except OSError:
        return [path]
    runs = sorted(_by_number(one) for one in inside if re.fullmatch(names[0], one))
    others = [f"{path}/{one}" for one in inside if not re.fullmatch(names[0], one)]
    if not runs or len(others) > _MOST:
        return [path]
    below = [one for _, run in runs for one in _below(project, f"{path}/{run}", names[1:])]
    return others + below[-_MOST:]


def _by_number(name: str) -> tuple[list[int], str]:
    return [int(one) for one in re.findall(r"\d+", name)], name
