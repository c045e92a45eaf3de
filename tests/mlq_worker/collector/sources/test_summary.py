"""`wandb-summary.json`."""

from __future__ import annotations

from mlq.metrics.series import Point
from mlq_worker.collector.sources.summary import parse_summary


def test_the_last_values_with_their_step_and_time() -> None:
    data = b'{"_wandb": {"runtime": 9}, "_runtime": 9.5, "_timestamp": 1.8e9, "_step": 41,'
    data += b'"loss": 0.5, "acc": {"max": 0.75}, "chart": {"_type": "table-file", "size": 7}}'
    assert parse_summary(data) == Point(41, 1.8e9, {"loss": 0.5, "acc/max": 0.75})


def test_rubbish_is_none() -> None:
    for rubbish in (b"", b"[1]", b"{", b"{}", b"[" * 100_000, b"\xff\xff"):
        assert parse_summary(rubbish) is None
