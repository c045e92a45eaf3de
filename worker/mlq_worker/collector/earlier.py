"""What the earlier attempts of a job measured, as far as the present one does not do it again."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlq.files.layout import JobFolder
from mlq.files.strict_files import MIB, Content, read_file
from mlq.metrics.extent import Extent, extents
from mlq.metrics.series import before_steps, merged, points_of

_MOST_ATTEMPTS = 20
_MOST_BYTES = 8 * MIB  # of each; of a longer file its end
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)


def earlier_extents(
    root: Path, folder: JobFolder, attempt: int, first: Mapping[str, float]
) -> dict[str, Extent]:
    """Return the extents of all earlier attempts of a job together.

    Args:
        root: the results root.
        folder: the job's folder below it.
        attempt: the present attempt.
        first: the first step of each metric in the present attempt: that step and later ones do
            not count.
    """
    numbers: list[int] = []
    with suppress(OSError):
        found = os.listdir(folder.attempts_dir)  # noqa: PTH208 - names
        numbers = sorted(int(name) for name in found if _NUMBER.fullmatch(name))
    parts = []
    for number in [one for one in numbers if one < attempt][-_MOST_ATTEMPTS:]:
        read = read_file(root, folder.metrics_file(number), _MOST_BYTES, tail=True)
        if isinstance(read, Content):
            parts.append(list(points_of(read.data)))
    return extents(before_steps(merged(parts), first))
