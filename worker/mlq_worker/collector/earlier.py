"""What the earlier attempts of a job measured, as far as the present one does not do it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlq.files.layout import JobFolder
from mlq.files.metrics_files import Bounds, metrics_files
from mlq.files.strict_files import MIB
from mlq.metrics.extent import Extent, extents
from mlq.metrics.series import before_steps, merged, points_of

_MOST_ATTEMPTS = 20
_MOST_BYTES = 8 * MIB  # of each; of a longer file its end


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
    files = metrics_files(
        str(root),
        folder.path,
        Bounds(_MOST_ATTEMPTS, _MOST_BYTES),
        before=attempt,
    )
    earlier = merged([list(points_of(data)) for _, data in files])
    return extents(before_steps(earlier, first))
