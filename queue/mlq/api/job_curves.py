"""The curves of jobs: what they measured and used, step by step, read from the results root.

The root may hang, and `mlq show` must not: callers wait only for a limited time. Jobs can write to
the files: what is no point and no sample is left out.
"""

from __future__ import annotations

from typing import NamedTuple

from mlq.files.layout import Layout
from mlq.files.metrics_files import Bounds, metrics_files
from mlq.files.strict_files import MIB, Content, read_file
from mlq.metrics.series import Point, merged, points_of
from mlq.metrics.usage import Sample, samples_of
from mlq.threads import run_at_most

_PATIENCE_S = 2.0
_METRICS_BYTES, _USAGE_BYTES = 4 * MIB, MIB  # of each file; of a longer one its end
_MOST_ATTEMPTS = 10


class JobCurves(NamedTuple):
    """What a job measured in all its attempts, and what its last attempt used."""

    points: list[Point] = []  # noqa: RUF012 - no code writes to it
    samples: list[Sample] = []  # noqa: RUF012


def job_curves(layout: Layout, attempts: dict[str, int]) -> dict[str, JobCurves]:
    """Return the curves of these jobs, as far as the root answers in time.

    Args:
        layout: of the results root.
        attempts: the last attempt of each job, by id; 0 if it has none.
    """
    found: dict[str, JobCurves] = {}
    if not layout.root.is_absolute():
        return found

    def read() -> None:
        for job_id, attempt in attempts.items():
            if attempt:
                found[job_id] = _curves(layout, job_id, attempt)

    run_at_most(_PATIENCE_S, read, "curves")
    return dict(found)


def _curves(layout: Layout, job_id: str, attempt: int) -> JobCurves:
    folder = layout.folder(job_id)
    files = metrics_files(
        str(layout.root),
        folder.path,
        Bounds(_MOST_ATTEMPTS, _METRICS_BYTES),
        before=attempt + 1,
    )
    read = read_file(layout.root, folder.usage_file(attempt), _USAGE_BYTES, tail=True)
    samples = list(samples_of(read.data)) if isinstance(read, Content) else []
    return JobCurves(merged([list(points_of(data)) for _, data in files]), samples)
