"""How busy the cores have been."""

from __future__ import annotations

from pathlib import Path

from fake_proc import FakeProc

from mlq_worker.probes.busy import busy_ticks


def test_idle_and_guest_time_do_not_count(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path, cores=4)
    proc.busy(605)
    assert busy_ticks(proc.root, {0, 2}) == {0: 605, 2: 0}
    assert busy_ticks(proc.root, {9}) == {}


def test_this_machine() -> None:
    assert all(ticks > 0 for ticks in busy_ticks(Path("/proc"), {0}).values())
