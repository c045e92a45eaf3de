"""Reads `trainer_state.json` of Hugging Face's Trainer, which each checkpoint has.

It holds the whole history, also that of earlier attempts if the job went on from a checkpoint. Its
points have the epoch as their step, as the lines have that the Trainer prints: the log tells the
same metrics earlier, and a curve must not change its unit.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from mlq.metrics.series import Point, number_or_none
from mlq_worker.collector.sources.values import number_of, point_of


class TrainerState(NamedTuple):
    """What one file says.

    Args:
        history: what was logged, oldest first.
        step, total: how far it is; None if it does not say.
    """

    history: list[dict[str, Any]]
    step: float | None
    total: float | None


def parse_trainer_state(data: bytes) -> TrainerState | None:
    """Return what a file says; None if it is none."""
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("log_history"), list):
        return None
    history = [_flat(one) for one in raw["log_history"] if isinstance(one, dict)]
    step, total = (number_or_none(raw.get(name)) for name in ("global_step", "max_steps"))
    if step is None or total is None or not (0 <= step <= total < math.inf) or not total:
        step = total = None
    return TrainerState(history, step, total)


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in entry.items() if isinstance(one, int | float | str)}


def points_after(state: TrainerState, known: int) -> list[Point]:
    """Return the points of a history, without its first `known` entries."""
    points = []
    for entry in state.history[known:]:
        point = point_of(entry)
        if point is not None:
            epoch = number_of(entry.get("epoch"))
            is_one = epoch is not None and math.isfinite(epoch)
            points.append(point._replace(step=epoch) if is_one else point)
    return points


def in_common(earlier: TrainerState, later: TrainerState) -> int:
    """Return how many entries at the beginning both have."""
    pairs = zip(earlier.history, later.history, strict=False)
    return next(
        (number for number, (one, other) in enumerate(pairs) if one != other),
        min(len(earlier.history), len(later.history)),
    )
