"""What a table shows of a metric without reading its curve: the last, least and largest value.

The worker keeps it in the job's hash (`mlq_metrics`) and in `result.json`, both as the JSON text
that `metrics_text` makes. A value that is no number (NaN) is a last value like any other, and never
the least or the largest while there is another one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlq.metrics.series import MOST_METRICS, Point, as_json, is_metric_name, number_or_none

_PLAIN = frozenset({float})


class Extent(NamedTuple):
    """The values of one metric; a step is None if the job told none.

    Args:
        last, last_step: the newest value, and at which step it was measured.
        min, min_step: the least value.
        max, max_step: the largest value.
    """

    last: float
    last_step: float | None
    min: float
    min_step: float | None
    max: float
    max_step: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {name: None if one is None else as_json(one) for name, one in self._asdict().items()}


def extents(points: Iterable[Point]) -> dict[str, Extent]:
    """Return the extents of all metrics of these points, in the order of their appearance."""
    return folded({}, points)


def folded(known: Mapping[str, Extent], points: Iterable[Point]) -> dict[str, Extent]:
    """Return the extents that were known, with more points taken in."""
    found = dict(known)
    for point in points:
        for name, value in point.values.items():
            before = found.get(name)
            if before is not None:
                found[name] = _with(before, value, point.step)
            elif len(found) < MOST_METRICS:
                found[name] = Extent(value, point.step, value, point.step, value, point.step)
    return found


def _with(known: Extent, value: float, step: float | None) -> Extent:
    least, largest = (known.min, known.min_step), (known.max, known.max_step)
    if value < known.min or math.isnan(known.min):
        least = value, step
    if value > known.max or math.isnan(known.max):
        largest = value, step
    return Extent(value, step, *least, *largest)


def joined(earlier: Mapping[str, Extent], later: Mapping[str, Extent]) -> dict[str, Extent]:
    """Return the extents of points of which all earlier ones come first.

    Args:
        earlier: the extents of those that come first.
        later: the extents of the others.
    """
    found = dict(earlier)
    for name, extent in later.items():
        before = found.get(name)
        if before is None:
            if len(found) < MOST_METRICS:
                found[name] = extent
            continue
        spread = _with(before, extent.min, extent.min_step)
        spread = _with(spread, extent.max, extent.max_step)
        found[name] = spread._replace(last=extent.last, last_step=extent.last_step)
    return found


def metrics_text(metrics: Mapping[str, Extent]) -> str:
    """Return metrics as the job's hash and `result.json` hold them; "" if there are none."""
    if not metrics:
        return ""
    raw = {
        name: [None if one is None else as_json(one) for one in extent]
        for name, extent in metrics.items()
    }
    return json.dumps(raw, separators=(",", ":"))


def parse_metrics(text: str) -> dict[str, Extent]:
    """Return the metrics of such a text; what is none is left out, for jobs can write there."""
    try:
        raw = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(raw, dict):
        return {}
    found = {}
    for name, values in list(raw.items())[:MOST_METRICS]:
        extent = _extent(values)
        if extent is not None and is_metric_name(name):
            found[name] = extent
    return found


def _extent(values: object) -> Extent | None:
    if not isinstance(values, list) or len(values) != len(Extent._fields):
        return None
    if _PLAIN.issuperset(map(type, values)):  # `mlq results` reads many, and nearly all are so
        return Extent._make(values)
    last, last_step, least, min_step, largest, max_step = map(number_or_none, values)
    if last is None or least is None or largest is None:
        return None
    return Extent(last, last_step, least, min_step, largest, max_step)
