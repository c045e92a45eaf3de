"""Foreign load: busy cores minus our own, on a written `/proc` and on the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_proc import FakeProc

from mlq_worker.probes.cores import TICKS_PER_S, CoreProbe, CoreReport
from mlq_worker.probes.process_table import scan

WORKER, SUPERVISOR, LAUNCHER, JOB = 100, 200, 201, 300


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    proc = FakeProc(tmp_path, cores=8)
    proc.process(WORKER)
    proc.process(SUPERVISOR)
    proc.process(LAUNCHER, parent=SUPERVISOR)
    return proc


class Probe:
    """A probe of eight cores and what it is told at each look."""

    def __init__(self, proc: FakeProc) -> None:
        self.proc = proc
        self.probe = CoreProbe(proc.root, affinity=lambda: range(8))

    def read(self, at_s: float, own_pids: tuple[int, ...] = (WORKER, SUPERVISOR)) -> CoreReport:
        return self.probe.read(at_s, scan(self.proc.root), own_pids)


def test_load_of_others_is_foreign(proc: FakeProc) -> None:
    probe = Probe(proc)
    probe.read(0)
    proc.busy(25 * TICKS_PER_S)
    assert probe.read(10) == CoreReport(total=8, foreign_load=2.5)


def test_before_the_second_look_the_load_average_stands_in(proc: FakeProc) -> None:
    proc.load(3.25)
    probe = Probe(proc)
    assert probe.read(0).foreign_load == 3.25
    assert probe.read(0.5).foreign_load == 3.25, "half a second is too short to measure"
    assert probe.read(1.0).foreign_load == 0.0


def test_our_jobs_are_not_foreign(proc: FakeProc) -> None:
    proc.process(JOB, parent=LAUNCHER, ticks=500)
    probe = Probe(proc)
    probe.read(0)
    proc.busy(40 * TICKS_PER_S)
    proc.process(JOB, parent=LAUNCHER, ticks=500 + 30 * TICKS_PER_S)
    assert probe.read(10).foreign_load == 1.0


def test_a_job_that_ended_is_not_foreign(proc: FakeProc) -> None:
    proc.process(JOB, parent=LAUNCHER, ticks=90 * TICKS_PER_S)
    probe = Probe(proc)
    probe.read(0)
    proc.busy(10 * TICKS_PER_S)
    proc.ends(JOB)
    proc.process(LAUNCHER, parent=SUPERVISOR, reaped_ticks=100 * TICKS_PER_S)
    assert probe.read(10).foreign_load == 0.0


def test_a_job_that_came_and_went_between_two_looks_is_not_foreign(proc: FakeProc) -> None:
    probe = Probe(proc)
    probe.read(0)
    proc.busy(10 * TICKS_PER_S)
    proc.process(LAUNCHER, parent=SUPERVISOR, reaped_ticks=10 * TICKS_PER_S)
    assert probe.read(10).foreign_load == 0.0


def test_what_a_supervisor_spent_before_it_was_adopted_hides_no_foreign_load(
    proc: FakeProc,
) -> None:
    proc.process(LAUNCHER, parent=SUPERVISOR, reaped_ticks=10_000 * TICKS_PER_S)
    probe = Probe(proc)
    probe.read(0, own_pids=(WORKER,))
    proc.busy(20 * TICKS_PER_S)
    assert probe.read(10, own_pids=(WORKER, SUPERVISOR)).foreign_load == 2.0


def test_a_pid_that_was_used_again_is_another_process(proc: FakeProc) -> None:
    proc.process(JOB, ticks=5_000 * TICKS_PER_S, start=1)
    probe = Probe(proc)
    probe.read(0)
    proc.busy(20 * TICKS_PER_S)
    proc.process(JOB, parent=LAUNCHER, ticks=10 * TICKS_PER_S, start=2)
    assert probe.read(10).foreign_load == 1.0


def test_load_is_smoothed_and_never_beyond_the_machine(proc: FakeProc) -> None:
    probe = Probe(proc)
    probe.read(0)
    assert probe.read(1).foreign_load == 0.0
    proc.busy(10_000 * TICKS_PER_S)
    assert probe.read(2) == CoreReport(total=8, foreign_load=8.0)
    falling = [probe.read(float(at_s)).foreign_load for at_s in range(3, 120)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.5


def test_only_the_cores_we_may_use_count(proc: FakeProc) -> None:
    probe = CoreProbe(proc.root, affinity=lambda: {2, 3})
    probe.read(0, scan(proc.root), ())
    proc.busy(10 * TICKS_PER_S)  # on core 0
    assert probe.read(10, scan(proc.root), ()) == CoreReport(total=2, foreign_load=0.0)


@pytest.fixture
def busy_child() -> Iterator[int]:
    loop = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        yield child.pid
        child.kill()


def test_on_this_machine_a_busy_child_is_foreign_unless_it_is_ours(busy_child: int) -> None:
    # Whatever else runs on this machine, the two probes differ by what the child spent.
    ours, theirs = CoreProbe(), CoreProbe()
    began_s, first = time.monotonic(), scan()
    ours.read(began_s, first, (busy_child,))
    theirs.read(began_s, first, ())
    begin = first.processes[busy_child].cpu_ticks
    table, now_s, spent = first, began_s, 0
    while now_s - began_s < 1.0 or spent < TICKS_PER_S // 4:
        table, now_s = scan(), time.monotonic()
        spent = table.processes[busy_child].cpu_ticks - begin
    seen = theirs.read(now_s, table, ())
    foreign = seen.foreign_load
    not_foreign = ours.read(now_s, table, (busy_child,)).foreign_load
    rate = spent / TICKS_PER_S / (now_s - began_s)
    assert rate > 0
    assert foreign - not_foreign == pytest.approx(rate, abs=0.1)
    assert dict(seen.by_user)[os.getuid()] >= rate - 0.01
    assert seen.own_load >= min(rate - 0.01, seen.foreign_load)
