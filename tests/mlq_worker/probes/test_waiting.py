"""How long threads wait for a core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from waiting import wait_for

from mlq_worker.probes.process_table import scan
from mlq_worker.probes.waiting import WaitProbe


def threads(proc: Path, pid: int, waited_s: dict[int, float]) -> None:
    """Write the threads of a process, and let it have no others."""
    folder = proc / str(pid) / "task"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        (old / "schedstat").unlink()
        old.rmdir()
    for thread, seconds in waited_s.items():
        (folder / str(thread)).mkdir()
        (folder / str(thread) / "schedstat").write_text(f"5000 {int(seconds * 1e9)} 7\n")


def test_all_threads_of_a_tree_are_added_up(tmp_path: Path) -> None:
    probe = WaitProbe(tmp_path)
    threads(tmp_path, 10, {10: 1.0, 11: 2.0})
    threads(tmp_path, 20, {20: 4.0})
    threads(tmp_path, 30, {30: 8.0})
    assert probe.read(0, {10: 10, 20: 10, 30: 30}) == {10: 7.0, 30: 8.0}


def test_what_ended_threads_waited_for_stays(tmp_path: Path) -> None:
    probe = WaitProbe(tmp_path)
    threads(tmp_path, 10, {10: 1.0, 11: 2.0})
    probe.read(0, {10: 10})
    threads(tmp_path, 10, {10: 1.5, 12: 3.0})
    assert probe.read(10, {10: 10}) == {10: 6.5}
    threads(tmp_path, 10, {10: 1.5, 12: 0.25})  # the number was given to another thread
    assert probe.read(20, {10: 10}) == {10: 6.75}
    assert probe.read(30, {}) == {}


def test_it_looks_every_ten_seconds(tmp_path: Path) -> None:
    probe = WaitProbe(tmp_path)
    threads(tmp_path, 10, {10: 1.0})
    probe.read(0, {10: 10})
    threads(tmp_path, 10, {10: 2.0})
    assert probe.read(9, {10: 10}) == {10: 1.0}
    assert probe.read(10, {10: 10}) == {10: 2.0}


def test_a_kernel_that_does_not_tell(tmp_path: Path) -> None:
    folder = tmp_path / "10/task/10"
    folder.mkdir(parents=True)
    (folder / "schedstat").write_text("")
    assert WaitProbe(tmp_path).read(0, {10: 10, 11: 10}) == {10: 0.0}


def test_busy_threads_on_one_core_wait_for_each_other() -> None:
    code = "import os; os.fork(); os.fork()\nwhile True: pass"
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}]); {code}"],
        start_new_session=True,
    ) as job:
        try:
            probe = WaitProbe(every_s=0.0)

            def waited_s() -> float:
                return probe.read(0, scan().owners([job.pid])).get(job.pid, 0.0)

            wait_for(lambda: waited_s() > 1.0, what="four processes to wait for one core")
        finally:
            os.killpg(job.pid, 9)
