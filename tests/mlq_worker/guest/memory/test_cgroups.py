"""A cgroup for each job: on a written tree, and real ones where root may make them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cgroups_v2 import new_cgroup
from kept_jobs import kept_job
from waiting import wait_for

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.memory.cgroups import (
    JobCgroups,
    Scope,
    Usage,
    find_scope,
    most_processes,
    settle,
    settled_scope,
)
from mlq_worker.ipc import procfs
from mlq_worker.ipc.values import Share

ID = AttemptId("1042_7", 2)
PATH = "user.slice/user-1000.slice/user@1000.service/app.slice/mlq-0a1b.scope"
FILES = ["pids.max", "memory.oom.group", "memory.swap.max", "memory.max"]


class Tree:
    """A mount of cgroups and a /proc, as files."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.mount = folder / "proc", folder / "cgroup"
        self.scope = self.mount / PATH
        self.scope.mkdir(parents=True)
        (self.scope / "cgroup.subtree_control").touch()
        (self.scope / "cgroup.controllers").write_text("cpu memory pids\n")
        (self.proc / "self").mkdir(parents=True)
        self.lie_in(f"/{PATH}")

    def lie_in(self, path: str) -> None:
        (self.proc / "self/cgroup").write_text(f"0::{path}\n")

    def find(self) -> Scope:
        return find_scope(self.proc, self.mount)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_scope_is_found_from_within(tree: Tree) -> None:
    assert tree.find() == Scope(tree.scope)
    assert settled_scope(tree.proc, tree.mount) == Scope()
    tree.lie_in(f"/{PATH}/supervisor")
    assert tree.find() == settled_scope(tree.proc, tree.mount) == Scope(tree.scope)


@pytest.mark.parametrize(
    "path",
    [
        "/user.slice/user-1000.slice/session-3.scope",
        "/",
        "/mlq-.scope",
        f"/{PATH}/job-7.1",
        "/user.slice/mlq-worker@lab01.service",
    ],
)
def test_no_other_cgroup_is_taken_for_one(tree: Tree, path: str) -> None:
    tree.lie_in(path)
    assert tree.find() == Scope(why_not="it was not started in a scope of its own")


def test_where_there_are_no_cgroups_of_version_2(tree: Tree) -> None:
    (tree.proc / "self/cgroup").write_text("4:memory:/\n1:name=systemd:/\n")
    assert tree.find().folder is None
    (tree.proc / "self/cgroup").unlink()
    assert tree.find() == Scope(why_not="/proc/self/cgroup: No such file or directory")
    tree.lie_in("/elsewhere/mlq-0a1b.scope")
    assert tree.find().why_not.endswith("mlq-0a1b.scope is not ours to change")


def test_the_supervisor_moves_below_its_scope(tree: Tree) -> None:
    own = tree.scope / "supervisor"
    own.mkdir()
    (own / "cgroup.procs").touch()
    assert settle(tree.find()) == Scope(tree.scope)
    assert (own / "cgroup.procs").read_text() == str(os.getpid())
    assert (tree.scope / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert settle(Scope(why_not="x")) == Scope(why_not="x")


def test_a_scope_that_cannot_be_used_is_none(tree: Tree) -> None:
    assert settle(tree.find()).why_not.endswith("mlq-0a1b.scope: No such file or directory")
    (tree.scope / "cgroup.controllers").write_text("cpu pids\n")
    assert settle(tree.find()).why_not == "systemd gives its scopes no controller for memory"


def made(tree: Tree, share: Share, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is written into the files of a job's cgroup, which the kernel makes with the folder."""
    real = os.mkdir

    def mkdir(path: str) -> None:
        real(path)
        for name in FILES:
            Path(path, name).touch()

    monkeypatch.setattr(os, "mkdir", mkdir)
    folder = JobCgroups(tree.scope).make(ID, share)
    assert folder is not None
    assert os.fstat(folder).st_ino == (tree.scope / "job-1042_7.2").stat().st_ino
    os.close(folder)
    texts = {name: (tree.scope / "job-1042_7.2" / name).read_text() for name in FILES}
    return {name: text for name, text in texts.items() if text}


def test_a_limit_that_was_asked_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(tree, Share(1, 100, mem_is_asked=True), monkeypatch) == {
        "pids.max": "4096",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "memory.max": "104857600",
    }


def test_a_job_leaves_room_for_others_of_its_user(tree: Tree) -> None:
    assert most_processes(tree.scope) == 4096
    (tree.scope / "pids.max").write_text("max\n")
    of_user = tree.mount / "user.slice/user-1000.slice/pids.max"
    of_user.write_text("2349\n")
    assert most_processes(tree.scope) == 1174
    of_user.write_text("40000\n")
    assert most_processes(tree.scope) == 4096


def test_a_promise_is_no_limit(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(tree, Share(1, 100), monkeypatch) == {"pids.max": "4096", "memory.oom.group": "1"}


def job_in(tree: Tree, **files: str) -> JobCgroups:
    (tree.scope / "job-1042_7.2").mkdir()
    for name, text in files.items():
        (tree.scope / "job-1042_7.2" / name.replace("_", ".")).write_text(text)
    return JobCgroups(tree.scope)


def test_what_the_kernel_counted(tree: Tree) -> None:
    events = "low 0\nhigh 0\nmax 41\noom 1\noom_kill 3\noom_group_kill 1\n"
    cgroups = job_in(
        tree, memory_peak="104857600\n", memory_events=events, memory_max="104857600\n"
    )
    assert cgroups.ended(ID, well=True) == Usage(100)
    assert cgroups.ended(ID) == Usage(100, 3, 100)


def test_whom_the_kernel_killed_for_others_has_not_reached_its_limit(tree: Tree) -> None:
    # As a Debian 12 counted when the whole machine ran out of memory.
    events = "low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n"
    cgroups = job_in(
        tree, memory_peak="325058560\n", memory_events=events, memory_max="419430400\n"
    )
    assert cgroups.ended(ID) == Usage(310, 0, 400)


def test_a_kernel_that_counts_less(tree: Tree) -> None:
    assert job_in(tree, memory_max="max\n", memory_events="oom_kill\n").ended(ID) == Usage()
    assert JobCgroups(tree.scope).ended(AttemptId("8", 1)) is None


def test_a_job_with_more_processes_than_one_read_tells(tree: Tree) -> None:
    pids = range(1, 40_000)
    procs = "".join(f"{pid}\n" for pid in pids)
    assert job_in(tree, cgroup_procs=procs, cgroup_freeze="0").freeze(ID) == set(pids)


def test_whether_the_kernel_holds_a_limit(tree: Tree) -> None:
    cgroups = job_in(tree, memory_max="104857600\n", cgroup_events="populated 0\nfrozen 0\n")
    assert not cgroups.holds_memory(ID)  # it could not begin in there
    events = tree.scope / "job-1042_7.2" / "cgroup.events"
    events.write_text("populated 1\nfrozen 0\n")
    assert cgroups.holds_memory(ID)
    (events.parent / "memory.max").write_text("max\n")
    assert not cgroups.holds_memory(ID)
    assert not cgroups.holds_memory(AttemptId("8", 1))


def test_without_a_scope_nothing_is_done(tmp_path: Path) -> None:
    cgroups = JobCgroups()
    assert cgroups.make(ID, Share()) is None
    assert cgroups.ended(ID) is None
    assert cgroups.freeze(ID) == frozenset()
    cgroups.thaw(ID)
    cgroups.kill(ID)
    assert not cgroups.holds_memory(ID)


FORKS = """
import os, signal
for number in range(3):
    if os.fork() == 0:
        os.setsid()
        break
os.write(1, b"up\\n")
while True:
    signal.pause()
"""


def state(pid: int) -> str:
    seen = procfs.look_at(pid)
    return seen.state if seen is not None else ""


def test_a_real_job_is_frozen_goes_on_and_is_killed(tmp_path: Path) -> None:
    with new_cgroup() as scope:
        cgroups = JobCgroups(scope)
        folder = cgroups.make(ID, Share(1, 100, mem_is_asked=True))
        assert folder is not None
        with kept_job(tmp_path, FORKS, cgroup=folder) as job:
            os.close(folder)
            job.said("up\nup\nup\nup")
            keeper = job.target.pid
            assert keeper is not None
            inside = procfs.below(procfs.look(), [keeper])
            frozen = cgroups.freeze(ID)
            assert frozen == inside.keys()
            events = scope / "job-1042_7.2" / "cgroup.events"
            wait_for(lambda: "frozen 1" in events.read_text(), what="a frozen job")
            assert {state(pid) for pid in frozen} == {"S"}
            cgroups.thaw(ID)
            wait_for(lambda: "frozen 0" in events.read_text(), what="a job that goes on")
            cgroups.freeze(ID)
            cgroups.kill(ID)
            wait_for(lambda: "populated 0" in events.read_text(), what="their end")
            assert not any(state(pid) in ("S", "R") for pid in frozen)
        assert cgroups.ended(ID) is not None
        assert not events.parent.exists()
