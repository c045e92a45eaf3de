"""What the table of machines says of allocations of batch systems."""

from __future__ import annotations

from mlq_cli.render.machines import machine_table
from mlq_cli.render.style import Style

RECORD = {"cores_total": 2, "cores_free": 2, "allocation": "inside Slurm job 1", "left_s": 3500.0}


def _shown(heard_s: float, **changes: object) -> str:
    rows = machine_table({"slurm-1": (heard_s, {**RECORD, **changes})}, {}, 45.0, Style(120))
    return "\n".join(rows)


def test_how_long_it_takes_jobs() -> None:
    assert "58m20s left" in _shown(3.0)


def test_one_that_ended_in_order_and_one_that_was_killed() -> None:
    assert "its allocation has ended" in _shown(300.0, note="the worker was stopped")
    assert "not heard of for 5m" in _shown(300.0)


def test_a_desk_is_told_in_short() -> None:
    closed = "somebody is at the desk of lab07"
    shown = _shown(1.0, note=closed, guest_closed=closed, guest_notes=["desk in use"], left_s=None)
    assert "desk in use" in shown
    assert closed not in shown
    other = _shown(1.0, note="draining", guest_closed=closed, guest_notes=["desk in use"])
    assert "desk in use; draining" in other
    assert closed in _shown(1.0, note=closed, guest_closed=closed, guest_notes=[])
