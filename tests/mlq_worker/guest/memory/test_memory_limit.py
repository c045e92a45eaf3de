"""Jobs kept to the memory they asked for, by looks at real processes and at a written /proc."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_proc import FakeProc
from kept_jobs import kept_job
from waiting import wait_for

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.memory.cgroups import Scope
from mlq_worker.guest.memory.memory_limit import MemoryLimit
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

ID = AttemptId("7", 1)
RULES = GuestRules()


def attempt(target: Target, mem_mib: int = 500, *, is_asked: bool = True) -> GuestAttempt:
    return GuestAttempt(ID, target, Share(1, mem_mib, is_asked), 0.0, "")


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    proc = FakeProc(tmp_path)
    proc.process(300, start=5)
    return proc


def holds(proc: FakeProc, mib: int) -> None:
    proc.process(301, parent=300, rss_mib=mib, held_mib=mib)
    (proc.root / "301" / "status").write_text(f"RssAnon:\t{mib * 1024} kB\n")


def at_once(work: Callable[[], None]) -> bool:
    work()
    return True


class Later:
    """Notes what is to be done, as long as there is room for a thread."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], None]] = []
        self.has_room = True

    def __call__(self, work: Callable[[], None]) -> bool:
        self.asked += [work] * self.has_room
        return self.has_room


class Looking:
    """Looks at one attempt, second by second."""

    def __init__(self, proc: FakeProc, one: GuestAttempt, rules: GuestRules = RULES) -> None:
        self.watch = MemoryLimit(proc.root, run=at_once)
        self._one, self._rules, self._at = one, rules, 0.0

    def end(self) -> End | None:
        self._at += 1
        seen = self.watch.look([self._one], self._rules, Moment(self._at, ""))
        return seen.demands.get(ID, Demand()).end


KEEPER = Target(300, 5)


def test_a_little_over_in_two_looks(proc: FakeProc) -> None:
    looking = Looking(proc, attempt(KEEPER))
    holds(proc, 600)
    assert [looking.end(), looking.end()] == [None, None]
    end = looking.end()
    assert end is not None
    assert end.reason == "took 600M of the 500M of memory it asked for"


def test_over_in_every_other_look_is_no_reason(proc: FakeProc) -> None:
    looking = Looking(proc, attempt(KEEPER))
    for mib in [600, 400] * 5:
        holds(proc, mib)
        assert looking.end() is None


def test_far_over_in_one(proc: FakeProc) -> None:
    looking = Looking(proc, attempt(KEEPER))
    holds(proc, 800)
    assert looking.end() is None
    end = looking.end()
    assert end is not None
    assert (end.outcome, end.most_grace_s) == ("overstepped", 0.0)


@pytest.mark.parametrize(
    ("one", "rules"),
    [
        (attempt(KEEPER, is_asked=False), RULES),
        (attempt(KEEPER)._replace(is_ending=True), RULES),
        (attempt(Target()), RULES),
        (attempt(KEEPER, 0), RULES),
        (attempt(KEEPER), RULES._replace(enforce="none")),
        (attempt(KEEPER), RULES._replace(enforce="cores,vram")),
    ],
)
def test_without_a_limit_nothing_is_read(
    tmp_path: Path, one: GuestAttempt, rules: GuestRules
) -> None:
    watch = MemoryLimit(tmp_path / "not there", Scope(why_not="no systemd"))
    facts = {"limits": {"how": "looks", "why": "no systemd"}}
    assert watch.look([one], rules, Moment(0, "")) == Seen(facts=facts)


def test_a_limit_that_the_kernel_holds_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "job-7.1").mkdir()
    (tmp_path / "job-7.1/cgroup.events").write_text("populated 1\nfrozen 0\n")
    (tmp_path / "job-7.1/memory.max").write_text("524288000\n")
    watch = MemoryLimit(tmp_path / "not there", Scope(tmp_path))
    seen = watch.look([attempt(KEEPER)], RULES, Moment(0, ""))
    assert seen == Seen(facts={"limits": {"how": "cgroup"}})


def test_a_measurement_that_hangs_holds_nothing_up(proc: FakeProc) -> None:
    later = Later()
    watch = MemoryLimit(proc.root, run=later)
    holds(proc, 2000)
    for at in range(5):
        assert not watch.look([attempt(KEEPER)], RULES, Moment(at, "")).demands
    assert len(later.asked) == 1
    later.asked[0]()
    assert ID in watch.look([attempt(KEEPER)], RULES, Moment(6, "")).demands


def test_processes_that_end_meanwhile(proc: FakeProc) -> None:
    later = Later()
    watch = MemoryLimit(proc.root, run=later)
    holds(proc, 2000)
    watch.look([attempt(KEEPER)], RULES, Moment(0, ""))
    for path in (proc.root / "301").iterdir():
        path.unlink()
    (proc.root / "301").rmdir()
    later.asked.pop()()
    assert not watch.look([attempt(KEEPER)], RULES, Moment(1, "")).demands
    assert not later.asked


def test_without_room_for_a_thread_it_is_measured_later(proc: FakeProc) -> None:
    later = Later()
    watch = MemoryLimit(proc.root, run=later)
    holds(proc, 2000)
    later.has_room = False
    watch.look([attempt(KEEPER)], RULES, Moment(0, ""))
    later.has_room = True
    watch.look([attempt(KEEPER)], RULES, Moment(1, ""))
    later.asked.pop()()
    assert ID in watch.look([attempt(KEEPER)], RULES, Moment(2, "")).demands


GROWS = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    signal.pause()
os.setsid()
held = []
while len(held) < 60:
    held.append(b"x" * (4 << 20))
print("grown", flush=True)
signal.pause()
"""


def test_a_real_job_that_hides_in_a_session_of_its_own(tmp_path: Path) -> None:
    watch = MemoryLimit()
    with kept_job(tmp_path, GROWS) as job:
        job.said("grown")

        def end() -> End | None:
            now = Moment(time.monotonic(), "")
            return watch.look([attempt(job.target, 100)], RULES, now).demands.get(ID, Demand()).end

        found = wait_for(end, what="its end")
        assert found.shortage is not None
        assert 240 <= found.shortage.used_mib < 320


def test_a_real_job_within_its_limit_goes_on(tmp_path: Path) -> None:
    watch = MemoryLimit(run=at_once)
    with kept_job(tmp_path, GROWS) as job:
        job.said("grown")
        for number in range(5):
            now = Moment(float(number), "")
            assert not watch.look([attempt(job.target, 300)], RULES, now).demands
