"""The threads of a job's processes are pinned, whatever the job does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from waiting import wait_for

from mlq_worker.guest.cores.cores import Cores
from mlq_worker.guest.cores.pinning import Linux, Pinning
from mlq_worker.guest.trees import Member, Trees
from mlq_worker.ipc import procfs
from mlq_worker.ipc.procfs import Target

MINE = frozenset(os.sched_getaffinity(0))
ONE = frozenset({max(MINE)})
several = pytest.mark.skipif(len(MINE) < 2, reason="this machine has one core")

THREADS = """
import os, sys, threading
def work():
    signal_ready.wait()
signal_ready = threading.Event()
for _ in range(20):
    threading.Thread(target=work, daemon=True).start()
print("up", flush=True)
sys.stdin.readline()
os.sched_setaffinity(0, range(os.cpu_count()))
print("wide", flush=True)
signal_ready.wait()
"""


@contextmanager
def job(code: str) -> Iterator[subprocess.Popen[str]]:
    """A keeper, which is a shell here, and below it a program in a session of its own."""
    command = ["sh", "-c", f"setsid {sys.executable} -c '{code}'; exit"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as keeper:
        try:
            yield keeper
        finally:
            for pid in procfs.below(procfs.look(), [keeper.pid]):
                with suppress(ProcessLookupError):  # one that forks: its children come and go
                    os.kill(pid, signal.SIGKILL)
            keeper.kill()


def finder(keeper: int) -> Callable[[], Mapping[int, Sequence[Member]]]:
    trees = Trees()
    return lambda: trees.look([Target(keeper)], 0.0)


def masks(keeper: int) -> set[Cores]:
    """The masks of all threads below a keeper."""
    found = set()
    for pid in procfs.below(procfs.look(), [keeper]):
        for thread in Linux().threads(pid):
            mask = Linux().affinity(thread)
            if mask is not None:
                found.add(mask)
    return found


def up(keeper: subprocess.Popen[str]) -> None:
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == "up\n"


@several
def test_all_threads_in_any_session_are_pinned_and_freed() -> None:
    pinning = Pinning(Linux())
    with job(THREADS) as keeper:
        up(keeper)
        find = finder(keeper.pid)
        pinning.look({keeper.pid: MINE}, find, {})
        assert masks(keeper.pid) == {MINE}
        pinning.look({keeper.pid: ONE}, find, {})
        assert masks(keeper.pid) == {ONE}
        pinning.look({}, find, {})
        assert masks(keeper.pid) == {MINE}
        assert not pinning.jobs


@several
def test_a_job_that_widens_its_mask_is_narrowed_again() -> None:
    pinning = Pinning(Linux())
    with job(THREADS) as keeper:
        up(keeper)
        find = finder(keeper.pid)
        pinning.look({keeper.pid: ONE}, find, {})
        assert keeper.stdin is not None and keeper.stdout is not None
        keeper.stdin.write("\n")
        keeper.stdin.flush()
        assert keeper.stdout.readline() == "wide\n"
        assert masks(keeper.pid) == {ONE, MINE}
        pinning.look({keeper.pid: ONE}, find, {})
        assert masks(keeper.pid) == {ONE}


@several
def test_a_stopped_job_is_pinned() -> None:
    with job(THREADS) as keeper:
        up(keeper)
        for pid in procfs.below(procfs.look(), [keeper.pid]):
            os.kill(pid, signal.SIGSTOP)
        Pinning(Linux()).look({keeper.pid: ONE}, finder(keeper.pid), {})
        assert masks(keeper.pid) == {ONE}


FORKING = """
import os
print("up", flush=True)
while True:
    children = [os.fork() for _ in range(4)]
    if 0 in children:
        os._exit(0)
    while children:
        children.remove(os.wait()[0])
"""


@several
def test_a_job_that_forks_without_end_cannot_get_away() -> None:
    pinning = Pinning(Linux())
    with job(FORKING) as keeper:
        up(keeper)
        find = finder(keeper.pid)

        def is_pinned() -> bool:
            pinning.look({keeper.pid: ONE}, find, {})
            return masks(keeper.pid) == {ONE}

        wait_for(is_pinned, what="all that it forks to be pinned")


class FakeKernel:
    """A machine of eight cores; threads by their process."""

    def __init__(self) -> None:
        self.cores = frozenset(range(8))
        self.tree: dict[int, list[int]] = {}
        self.masks: dict[int, Cores] = {}
        self.refused: set[int] = set()

    def usable(self) -> Cores:
        return self.cores

    def is_narrowed(self) -> bool:
        return False

    def siblings(self, core: int) -> Cores:
        return frozenset((core % 4, core % 4 + 4))

    def threads(self, pid: int) -> list[int]:
        return self.tree.get(pid, [])

    def affinity(self, thread: int) -> Cores | None:
        return self.masks.get(thread)

    def pin(self, thread: int, cores: Cores) -> bool:
        if thread in self.refused:
            return False
        self.masks[thread] = cores
        return True


def of(*numbers: int) -> Cores:
    return frozenset(numbers)


@pytest.fixture
def kernel() -> FakeKernel:
    made = FakeKernel()
    made.tree = {11: [11, 12, 13]}
    made.masks = {11: made.cores, 12: made.cores, 13: of(2)}
    return made


def members() -> Mapping[int, Sequence[Member]]:
    return {10: [Member(11, 1, 1.0)]}


def test_a_thread_gets_its_own_choice_back_after_a_squeeze(kernel: FakeKernel) -> None:
    pinning = Pinning(kernel)
    pinning.look({10: of(0, 1, 2, 3)}, members, {})
    assert kernel.masks == {11: of(0, 1, 2, 3), 12: of(0, 1, 2, 3), 13: of(2)}
    for _ in range(2):
        pinning.look({10: of(0, 1)}, members, {})
        assert set(kernel.masks.values()) == {of(0, 1)}
    pinning.look({10: of(0, 1, 2, 3)}, members, {})
    assert kernel.masks == {11: of(0, 1, 2, 3), 12: of(0, 1, 2, 3), 13: of(2)}


def test_a_job_that_was_never_looked_at_is_freed(kernel: FakeKernel) -> None:
    kernel.masks = {11: of(0, 1), 12: of(0, 1), 13: of(1)}
    Pinning(kernel).look({}, members, {10: of(0, 1)})
    assert kernel.masks == {11: kernel.cores, 12: kernel.cores, 13: of(1)}


def test_cores_given_at_the_start_are_no_choice_of_the_job(kernel: FakeKernel) -> None:
    kernel.masks = {11: of(0, 1), 12: of(0, 1), 13: of(1)}
    Pinning(kernel).look({10: of(1, 2)}, members, {10: of(0, 1)})
    assert kernel.masks == {11: of(1, 2), 12: of(1, 2), 13: of(1)}


def test_threads_that_appear_meanwhile_are_pinned_too(kernel: FakeKernel) -> None:
    looks = 0

    def find() -> Mapping[int, Sequence[Member]]:
        nonlocal looks
        looks += 1
        if looks == 2:
            kernel.tree[11].append(14)
            kernel.masks[14] = kernel.cores
        return members()

    Pinning(kernel).look({10: of(0)}, find, {})
    assert kernel.masks[14] == of(0)
    assert looks == 3


def test_what_the_kernel_refuses_is_left(kernel: FakeKernel) -> None:
    kernel.refused = {12}
    looks = []
    Pinning(kernel).look({10: of(0)}, lambda: looks.append(1) or members(), {})  # type: ignore[func-returns-value]
    assert kernel.masks == {11: of(0), 12: kernel.cores, 13: of(0)}
    assert len(looks) == 2


def test_a_fork_bomb_does_not_hold_the_supervisor(kernel: FakeKernel) -> None:
    looks = []

    def find() -> Mapping[int, Sequence[Member]]:
        looks.append(1)
        first = 100_000 * len(looks)
        kernel.tree[11] = list(range(first, first + 6000))
        kernel.masks = dict.fromkeys(kernel.tree[11], kernel.cores)
        return members()

    Pinning(kernel).look({10: of(0)}, find, {})
    assert len(looks) == 1


def test_the_machine_as_the_kernel_describes_it(tmp_path: Path) -> None:
    (tmp_path / "online").write_text("0-1023\n")
    folder = tmp_path / "cpu3/topology"
    folder.mkdir(parents=True)
    (folder / "thread_siblings_list").write_text("3,7\n")
    linux = Linux(system=tmp_path)
    assert linux.siblings(3) == {3, 7}
    assert linux.siblings(4) == {4}
    assert linux.usable() == MINE
    assert linux.is_narrowed()
    (tmp_path / "online").write_text(f"{min(MINE)}\n")
    assert not linux.is_narrowed()


def test_the_siblings_of_cores_that_came_are_read(kernel: FakeKernel) -> None:
    pinning = Pinning(kernel)
    kernel.cores = of(0, 1)
    assert pinning.machine().siblings == {0: of(0, 4), 1: of(1, 5)}
    kernel.cores = of(0, 1, 5)
    assert pinning.machine(of(0)).siblings[5] == of(1, 5)
    assert pinning.machine(of(0)).taken == of(0)
