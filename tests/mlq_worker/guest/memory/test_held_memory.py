"""What a job's processes hold: forked, mapped and shared memory, of real processes too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_proc import FakeProc
from kept_jobs import KeptJob, kept_job

from mlq_worker.guest.memory.held_memory import HeldMemory, shared_mib
from mlq_worker.guest.trees import Member, Trees

HOLDS = """
import os, signal, sys
data = bytearray(96 << 20)
data[::4096] = b"x" * len(data[::4096])
for _ in range(3):
    if os.fork() == 0:
        break
os.write(1, b"holds\\n")
signal.pause()
"""
MAPS = """
import mmap, signal, sys
file = open(sys.argv[1], "rb")
data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(data[::4096])
print("maps", flush=True)
signal.pause()
"""
SHARES = """
import os, signal, sys
file = open(sys.argv[1], "w+b")
os.unlink(sys.argv[1])
file.write(bytes(64 << 20))
file.flush()
if sys.argv[2] == "mapped":
    import mmap
    data = mmap.mmap(file.fileno(), 64 << 20)
    data[::4096] = b"x" * (64 << 8)
print("shares", flush=True)
signal.pause()
"""


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def members_of(job: KeptJob) -> Sequence[Member]:
    assert job.target.pid is not None
    return Trees().look([job.target], 0.0)[job.target.pid]


def measured(members: Sequence[Member]) -> float:
    return HeldMemory().exceeds(members, 1, 0.0) or 0.0


def test_forked_memory_counts_once(tmp_path: Path) -> None:
    with kept_job(tmp_path, HOLDS) as job:
        job.said("holds\nholds\nholds\nholds")
        members = members_of(job)
        assert len(members) == 4
        assert sum(one.rss_mib for one in members) > 4 * 96
        assert 96 <= measured(members) < 190
        assert HeldMemory().exceeds(members, 190, 0.0) is None


def test_a_mapped_file_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(os.urandom(1 << 20) * 128)
    with kept_job(tmp_path, MAPS, str(tmp_path / "data")) as job:
        job.said("maps")
        members = members_of(job)
        assert sum(one.rss_mib for one in members) > 128
        assert HeldMemory().exceeds(members, 64, 0.0) is None


@pytest.mark.parametrize("how", ["mapped", "open"])
def test_shared_memory_counts_mapped_or_only_open(tmp_path: Path, how: str) -> None:
    name = f"/dev/shm/mlq-test-{os.urandom(6).hex()}"
    with kept_job(tmp_path, SHARES, name, how) as job:
        job.said("shares")
        assert shared_mib() >= 64
        assert 64 <= measured(members_of(job)) < 64 + 40


def test_without_shared_memory_there_is_none(tmp_path: Path) -> None:
    assert shared_mib(str(tmp_path / "missing")) == 0


def status(proc: FakeProc, pid: int, anon_mib: int, shmem_mib: int = 0) -> None:
    lines = f"Name:\tx\nVmRSS:\t99 kB\nRssAnon:\t{anon_mib * 1024} kB\n"
    text = f"{lines}RssFile:\t4096 kB\nRssShmem:\t{shmem_mib * 1024} kB\n"
    (proc.root / str(pid) / "status").write_text(text)


def test_a_process_is_measured_again_when_it_grew_or_a_minute_has_passed(proc: FakeProc) -> None:
    memory, member = HeldMemory(proc.root, str(proc.root / "none")), Member(7, 0, 1000)
    seen = []
    for at, bound_mib, held_mib in [
        (0, 1000, 500),
        (59, 1200, 1200),  # it has hardly grown: scaled to 600
        (60, 1200, 1200),
        (61, 1600, 100),
        (62, 1400, 1400),  # scaled to 88
    ]:
        proc.process(7, rss_mib=1000, held_mib=held_mib)
        status(proc, 7, bound_mib)
        seen.append(memory.exceeds([member], 900, at))
    assert seen == [None, None, 1200, None, None]


def test_what_ends_a_job_is_measured_then_and_not_scaled(proc: FakeProc) -> None:
    memory, member = HeldMemory(proc.root, str(proc.root / "none")), Member(7, 0, 1000)
    proc.process(7, held_mib=900)
    status(proc, 7, 1000)
    assert memory.exceeds([member], 800, 0) == 900
    proc.process(7, held_mib=700)
    status(proc, 7, 1200)
    assert memory.exceeds([member], 800, 1) is None


def test_kernels_that_tell_less(proc: FakeProc) -> None:
    memory, member = HeldMemory(proc.root, str(proc.root / "none")), Member(7, 0, 1000)
    proc.process(7, rss_mib=1000)
    assert memory.exceeds([member], 800, 0) is None  # nothing at all: it has ended
    (proc.root / "7" / "status").write_text("Name:\tx\nVmRSS:\t1024000 kB\n")
    assert memory.exceeds([member], 800, 1) == 1000
    (proc.root / "7" / "smaps_rollup").write_text("0-1 [rollup]\nPss: 921600 kB\n")
    assert memory.exceeds([member], 800, 2) == 900
    (proc.root / "7" / "smaps_rollup").write_text("0-1 [rollup]\nPss: 9216000 kB\n")
    assert memory.exceeds([member], 800, 3) == 1000
