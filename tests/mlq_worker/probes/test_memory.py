"""The process table and the memory probe, on a written `/proc` and on the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_proc import FakeProc

from mlq_worker.probes.memory import MemoryProbe, MemoryReport
from mlq_worker.probes.process_table import Scanner, scan

LEADER, OTHER = 300, 400


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def read(
    proc: FakeProc, *leaders: int, probe: MemoryProbe | None = None, at_s: float = 0.0
) -> MemoryReport:
    return (probe or MemoryProbe(proc.root)).read(at_s, scan(proc.root), leaders)


@pytest.mark.parametrize("name", ["python", "a b", ") S 1 (", "(sd-pam)"])
def test_a_process_is_read_whatever_it_is_called(proc: FakeProc, name: str) -> None:
    proc.process(7, parent=3, session=5, ticks=11, reaped_ticks=22, start=99, rss_mib=4, name=name)
    process = scan(proc.root).processes[7]
    assert (process.pid, process.parent_pid, process.session) == (7, 3, 5)
    assert (process.cpu_ticks, process.start_ticks) == (33, 99)


def test_owners_are_ancestors_or_else_the_leader_of_the_session(proc: FakeProc) -> None:
    proc.process(LEADER, parent=9)
    proc.process(301, parent=LEADER)
    proc.process(302, parent=301)  # in a session of its own
    proc.process(303, parent=1, session=LEADER)  # its parent ended
    proc.process(304, parent=303)
    proc.process(OTHER, parent=9)
    proc.process(500, parent=1)
    assert scan(proc.root).owners([LEADER, OTHER, 999]) == {
        LEADER: LEADER,
        301: LEADER,
        302: LEADER,
        303: LEADER,
        304: LEADER,
        OTHER: OTHER,
    }


@pytest.mark.parametrize(("outer", "inner"), [(30, 40), (40, 30)])
def test_a_leader_below_another_keeps_its_own_tree(proc: FakeProc, outer: int, inner: int) -> None:
    proc.process(outer)
    proc.process(inner, parent=outer, session=9)
    proc.process(50, parent=inner, session=9)
    assert scan(proc.root).owners([outer, inner]) == {outer: outer, inner: inner, 50: inner}


def test_a_process_that_ends_during_the_scan_is_left_out(proc: FakeProc) -> None:
    proc.process(7)
    (proc.root / "8").mkdir()
    assert set(scan(proc.root).processes) == {7}


def test_kernel_threads_are_left_out_and_read_only_once(proc: FakeProc) -> None:
    proc.process(2, flags=0x208040)
    proc.process(7)
    scanner = Scanner(proc.root)
    assert set(scanner.scan().processes) == {7}
    (proc.root / "2" / "stat").write_text("whatever")  # it is not read again
    assert set(scanner.scan().processes) == {7}
    (proc.root / "2").rename(proc.root / "old")
    proc.process(2)  # another process of that number
    assert set(scanner.scan().processes) == {2, 7}


def test_memory_of_the_machine_and_of_each_tree(proc: FakeProc) -> None:
    proc.memory(64000, 41000)
    proc.process(LEADER, rss_mib=1000)
    proc.process(301, parent=LEADER, rss_mib=20)
    proc.process(OTHER, rss_mib=7)
    assert read(proc, LEADER, OTHER, 999) == MemoryReport(
        64000, 41000, {LEADER: 1020, OTHER: 7, 999: 0}
    )


def test_memory_of_mlq_s_own_processes_is_that_of_no_job(proc: FakeProc) -> None:
    proc.memory(64000, 41000)
    proc.process(100, rss_mib=50)  # the worker
    proc.process(LEADER, parent=100, rss_mib=1000)
    table = scan(proc.root)
    assert MemoryProbe(proc.root).read(0.0, table, [LEADER], [100]).own_mib == 50
    assert MemoryProbe(proc.root).read(0.0, table, [LEADER]).own_mib == 0


def test_shared_memory_counts_once_and_mapped_files_do_not(proc: FakeProc) -> None:
    proc.process(LEADER, rss_mib=10000, held_mib=2000)
    for pid in range(301, 305):
        proc.process(pid, parent=LEADER, rss_mib=10000, held_mib=2000)
    proc.process(OTHER, rss_mib=40000, held_mib=300)
    assert read(proc, LEADER, OTHER).used_by == {LEADER: 10000, OTHER: 300}


def test_a_kernel_that_tells_only_the_proportional_size(proc: FakeProc) -> None:
    proc.process(LEADER, rss_mib=1000)
    (proc.root / str(LEADER) / "smaps_rollup").write_text("0-1 [rollup]\nPss: 819200 kB\n")
    assert read(proc, LEADER).used_by == {LEADER: 800}


def test_a_process_is_measured_once_a_minute_and_when_it_has_grown(proc: FakeProc) -> None:
    probe = MemoryProbe(proc.root)
    seen = []
    for at_s, rss_mib, held_mib in [
        (0, 1000, 500),
        (59, 1200, 1200),  # not looked at again: its resident size is scaled
        (60, 1200, 1200),
        (61, 1600, 100),
        (62, 800, 800),
    ]:
        proc.process(LEADER, rss_mib=rss_mib, held_mib=held_mib)
        seen.append(read(proc, LEADER, probe=probe, at_s=at_s).used_by[LEADER])
    assert seen == [500, 600, 1200, 100, 50]


def test_on_this_machine_a_child_that_allocates_is_seen() -> None:
    script = "data = b'x' * (96 << 20); print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe) as child:
        assert child.stdout
        child.stdout.readline()
        report = MemoryProbe().read(0.0, scan(), [child.pid, os.getpid()])
        child.communicate(b"\n")
    assert 96 <= report.used_by[child.pid] < 200
    assert 0 < report.available_mib <= report.total_mib
    assert report.used_by[os.getpid()] > 0


def test_a_scan_of_this_machine_is_cheap() -> None:
    begin = os.times()
    count = sum(len(scan().processes) for _ in range(10))
    end = os.times()
    each_s = (end.user + end.system - begin.user - begin.system) / count
    assert each_s < 200e-6, "a scan every few seconds must stay far below half a percent of a core"
