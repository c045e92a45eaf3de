"""Reads `wandb-summary.json`: the last value of each metric. wandb's binary log is not read."""

from __future__ import annotations

import json

from mlq.metrics.series import Point
from mlq_worker.collector.sources.values import point_of


def parse_summary(data: bytes) -> Point | None:
    """Return the last values, with wandb's step and time; None if there are none."""
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return point_of(raw) if isinstance(raw, dict) else None
