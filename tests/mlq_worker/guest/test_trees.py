"""Which processes belong to which job, on a written /proc and on the real one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fake_proc import FakeProc
from kept_jobs import kept_job
from waiting import wait_for

from mlq_worker.guest.trees import Trees
from mlq_worker.ipc.procfs import Target, below, look

KEEPER, OTHER = Target(300, 5), Target(400, 5)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    proc = FakeProc(tmp_path)
    proc.process(1)
    proc.process(300, start=5)
    proc.process(400, start=5)
    return proc


def pids(trees: Trees, at: float, *keepers: Target) -> dict[int, list[int]]:
    return {
        keeper: sorted(one.pid for one in members)
        for keeper, members in trees.look(keepers, at).items()
    }


def test_processes_come_and_go(proc: FakeProc) -> None:
    trees = Trees(proc.root)
    proc.process(301, parent=300)
    proc.process(350, parent=1)
    assert pids(trees, 0, KEEPER, OTHER) == {300: [301], 400: []}
    proc.process(299, parent=302)  # pids have wrapped around: a child has the smaller one
    proc.process(302, parent=301)
    proc.process(401, parent=400)
    assert pids(trees, 1, KEEPER, OTHER) == {300: [299, 301, 302], 400: [401]}
    proc.ends(301)
    proc.process(302, parent=300)  # its parent has ended: it comes to the keeper
    assert pids(trees, 2, KEEPER, OTHER) == {300: [299, 302], 400: [401]}


def test_a_pid_that_is_given_to_another_process(proc: FakeProc) -> None:
    trees = Trees(proc.root)
    proc.process(301, parent=300, start=7)
    assert pids(trees, 0, KEEPER) == {300: [301]}
    proc.process(301, parent=1, start=9)
    assert pids(trees, 1, KEEPER) == {300: []}


def test_a_keeper_whose_pid_is_another_s_now_has_no_processes(proc: FakeProc) -> None:
    proc.process(300, start=6)
    proc.process(301, parent=300)
    assert pids(Trees(proc.root), 0, KEEPER) == {300: []}


def test_a_job_that_comes_later_and_one_that_goes(proc: FakeProc) -> None:
    trees = Trees(proc.root)
    proc.process(301, parent=300)
    proc.process(401, parent=400)
    assert pids(trees, 0, KEEPER) == {300: [301]}
    assert pids(trees, 1, KEEPER, OTHER) == {300: [301], 400: [401]}
    assert pids(trees, 2, OTHER) == {400: [401]}


def test_processes_that_end_while_they_are_read_or_are_hidden(proc: FakeProc) -> None:
    trees = Trees(proc.root)
    proc.process(301, parent=300)
    (proc.root / "302").mkdir()
    (proc.root / "303").mkdir()
    (proc.root / "303" / "stat").write_text("303 (torn")
    assert pids(trees, 0, KEEPER) == {300: [301]}
    (proc.root / "301" / "stat").unlink()
    assert pids(trees, 1, KEEPER) == {300: []}


def test_parents_in_a_circle_belong_to_no_job(proc: FakeProc) -> None:
    proc.process(301, parent=302)
    proc.process(302, parent=301)
    assert pids(Trees(proc.root), 0, KEEPER) == {300: []}


ESCAPES = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(4):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.write(1, b"escaped %d\\n" % number)
        break
signal.pause()
"""


def test_real_processes_that_escape_are_the_job_s_from_look_to_look(tmp_path: Path) -> None:
    trees = Trees()
    with kept_job(tmp_path, ESCAPES) as job:
        trees.look([job.target], 0.0)
        for number in range(4):
            job.said(f"escaped {number}")

        def agree() -> bool:
            keeper = job.target.pid
            assert keeper is not None
            seen = {one.pid for one in trees.look([job.target], 1.0)[keeper]}
            return len(seen) == 5 and seen == below(look(), [keeper]).keys()

        wait_for(agree, what="all five processes")


def test_a_look_at_a_quiet_machine_is_cheap() -> None:
    keeper = Target(os.getpid())
    trees = Trees()
    trees.look([keeper], 0.0)
    began = time.process_time()
    for number in range(50):
        trees.look([keeper], number / 50)
    each_s = (time.process_time() - began) / 50
    count = len(look())
    assert each_s < 0.0005 + count * 5e-6
