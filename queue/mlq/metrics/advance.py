"""How far a job is, as its hash has it in `mlq_advance` beside the share in `mlq_progress`."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

from mlq.lenient import dict_or_empty
from mlq.metrics.series import number_or_none


class Advance(NamedTuple):
    """How far an attempt is.

    Args:
        share: from 0 to 1; None if the job tells only an inner loop, or nothing.
        step, total: what it counts, and up to where; None if unknown.
        left_s: how many seconds it will still take, by its own pace; None if unknown.
        inner: the share of a loop that starts over again and again, such as the batches of an
            epoch; it says nothing of the whole job.
    """

    share: float | None = None
    step: float | None = None
    total: float | None = None
    left_s: float | None = None
    inner: float | None = None

    @property
    def text(self) -> str:
        """The text of the hash's `mlq_advance`; "" if it says nothing but the share."""
        rest = self._asdict()
        del rest["share"]
        known = {name: value for name, value in rest.items() if value is not None}
        return json.dumps(known, separators=(",", ":")) if known else ""


def parse_advance(share: float | None, text: str) -> Advance:
    """Return what a hash says: its share and the text of `mlq_advance`."""
    raw = dict_or_empty(text)
    found = {}
    for name in ("step", "total", "left_s", "inner"):
        value = number_or_none(raw.get(name))
        found[name] = value if value is not None and math.isfinite(value) else None
    return Advance(share, **found)
