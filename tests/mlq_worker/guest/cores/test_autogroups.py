"""The sessions of jobs get the lowest weight."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from waiting import wait_for

from mlq_worker.guest.cores.autogroups import Autogroups
from mlq_worker.guest.trees import Member, Trees

LOWEST = "/autogroup-7 nice 19\n"
JOB = [Member(10, 1, 1.0), Member(11, 2, 1.0)]


def session(proc: Path, pid: int, text: str) -> Path:
    (proc / str(pid)).mkdir()
    path = proc / str(pid) / "autogroup"
    path.write_text(text)
    return path


def test_what_is_lowered_already_is_not_written(tmp_path: Path) -> None:
    low, high = session(tmp_path, 10, LOWEST), session(tmp_path, 11, "/autogroup-8 nice 0\n")
    Autogroups(tmp_path).look(JOB, 0.0)
    assert low.read_text() == LOWEST
    assert high.read_text() == "/autogroup-8 nice 0\n19"  # the kernel takes it as an order


def test_a_process_is_looked_at_once_in_ten_seconds(tmp_path: Path) -> None:
    path = session(tmp_path, 10, LOWEST)
    groups = Autogroups(tmp_path)
    groups.look(JOB, 0.0)
    path.write_text("/autogroup-9 nice 0\n")
    groups.look(JOB, 9.0)
    assert path.read_text() == "/autogroup-9 nice 0\n"
    groups.look(JOB, 10.0)
    assert path.read_text().endswith("19")


def test_kernels_without_sessions_and_processes_that_ended_are_passed_over(tmp_path: Path) -> None:
    session(tmp_path, 10, "")
    Autogroups(tmp_path).look(JOB, 0.0)
    assert (tmp_path / "10/autogroup").read_text() == ""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="a kernel without autogroup")
def test_the_kernel_takes_it() -> None:
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as job:
        try:
            member = Trees().look_at(job.pid)
            assert member is not None
            path = Path(f"/proc/{job.pid}/autogroup")
            groups, at = Autogroups(), iter(range(10**6))
            # Others may be changing theirs: then it is tried again.
            wait_for(
                lambda: (groups.look([member], next(at)), path.read_text().endswith(" 19\n"))[1],
                what="the lowest weight",
            )
        finally:
            job.kill()
