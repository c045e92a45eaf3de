"""How much memory others use, beside the jobs of a launcher."""

from __future__ import annotations

from pathlib import Path

from fake_proc import FakeProc

from mlq_worker.launcher.others_memory import others_mib


def test_used_memory_but_for_our_jobs(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.memory(64000, 4000)
    proc.process(200, rss_mib=10, held_mib=10)
    proc.process(300, parent=200, rss_mib=9000, held_mib=2000)
    proc.process(301, parent=300, rss_mib=6000, held_mib=6000)
    proc.process(400, rss_mib=50000, held_mib=50000)
    assert others_mib(200, proc.root) == 64000 - 4000 - 10 - 2000 - 6000
    proc.memory(64000, 63999)
    assert others_mib(200, proc.root) == 0


def test_a_machine_that_does_not_tell(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    (proc.root / "meminfo").write_text("MemTotal: 1 kB\n")
    assert others_mib(200, proc.root) == 0
