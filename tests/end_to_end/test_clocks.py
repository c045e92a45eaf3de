"""A machine whose clock is off is told so, and nothing else comes of it."""

from __future__ import annotations

from pathlib import Path

from local_lab import Lab

DAYS = 100
# Read by every Python at its start, before anything can take hold of the clock.
FAST_CLOCK = f"""
import time

_true = time.time
time.time = lambda: _true() + {DAYS} * 86400
"""


def with_a_fast_clock(folder: Path) -> dict[str, str]:
    """Return the variables of processes to which it is 100 days later."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FAST_CLOCK)
    return {"PYTHONPATH": str(folder)}


def test_a_machine_whose_clock_is_off_runs_jobs_and_is_told_so(lab: Lab) -> None:
    fast = with_a_fast_clock(lab.folder / "fast")
    lab.machine("lab01", environ=fast)
    job = lab.sh("true")
    lab.until(job, "finished")
    off_s = lab.until_shown("lab01", lambda row: row["clock_off_s"])
    assert abs(off_s - DAYS * 86400) < 30
    said = "its clock is 100d ahead of the queue's"
    assert said in lab.sandbox.ok("machines")
    assert f"this machine: {said}" in lab.sandbox.run("doctor", environ=fast).out
    assert said not in lab.sandbox.run("doctor").out
    # As reaper it deletes what ended long ago; by the queue's clock that is not this one.
    assert lab.queue.views([job])[0].state == "finished"


def test_of_a_clock_that_is_right_nothing_is_said(lab: Lab) -> None:
    lab.machine("lab01")
    off_s = lab.until_shown(
        "lab01", lambda row: row["clock_off_s"] is not None and [row["clock_off_s"]]
    )
    assert abs(off_s[0]) < 30
    assert "clock" not in lab.sandbox.ok("machines")
