"""Others get room while our jobs run, by what /proc shows each second."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_proc import FakeProc

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.own_processes import OwnProcesses
from mlq_worker.guest.room.room import ROOM_S
from mlq_worker.guest.room.room_watch import RoomEdges, RoomWatch
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.trees import Trees
from mlq_worker.guest.watch import Demand, GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
JOB = AttemptId("1", 1)
RULES = GuestRules()


@dataclass
class Machine:
    """Eight cores, of which a job uses `ours` and others use `others`."""

    proc: FakeProc
    ours: float = 0.0
    others: float = 0.0
    of_user: float = 0.0  # of what others use
    besides: float = 0.0
    busy: float = 0.0
    used: float = 0.0
    at: float = 100.0
    cores: frozenset[int] = frozenset(range(8))
    is_anybody: bool = False
    neighbours: int = 0
    saved: dict[AttemptId, float] = field(default_factory=dict)
    jobs: list[GuestAttempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.proc.process(100)
        self.jobs.append(self.job("1", 200, 6))
        own = OwnProcesses(Trees(self.proc.root), lambda: (100,))
        edges = RoomEdges(
            own,
            lambda: self.cores,
            lambda: self.is_anybody,
            lambda one: self.saved.get(one.id),
            lambda: self.neighbours,
            lambda known: {(300, 0): int(self.besides)} if known else {},
            self.proc.root,
        )
        self.watch = RoomWatch(edges, "lab07")

    def job(self, name: str, keeper: int, cores: int, started_at: float = 50.0) -> GuestAttempt:
        self.proc.process(keeper, parent=100)
        self.proc.process(keeper + 1, parent=keeper, rss_mib=100)
        share = Share(cores)
        return GuestAttempt(AttemptId(name, 1), Target(keeper), share, started_at, "")

    def look(self, seconds: int = 1, rules: GuestRules = RULES) -> Seen:
        for _ in range(seconds):
            self.at += 1
            self.busy += (self.ours + self.others) * TICKS_PER_S
            self.besides += self.of_user * TICKS_PER_S
            self.used += self.ours * TICKS_PER_S
            self.proc.busy(int(self.busy))
            self.proc.process(201, parent=200, ticks=int(self.used), rss_mib=100)
            seen = self.watch.look(self.jobs, rules, Moment(self.at, ""))
        return seen


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(FakeProc(tmp_path))


def test_our_own_load_squeezes_nobody(machine: Machine) -> None:
    machine.ours = 6.0
    assert machine.look(30) == Seen()


def test_others_load_squeezes_within_two_looks_and_frees_after_a_minute(machine: Machine) -> None:
    machine.ours = 6.0
    machine.look(10)
    machine.others = 3.0
    assert machine.look(1) == Seen()
    assert machine.look(1).demands == {JOB: Demand(cores=4)}
    machine.ours, machine.others = 4.0, 0.0
    assert machine.look(int(ROOM_S) - 5).demands == {JOB: Demand(cores=4)}
    assert machine.look(10) == Seen()


def test_what_our_user_does_beside_mlq_leaves_no_reserve(machine: Machine) -> None:
    machine.ours, machine.others, machine.of_user = 6.0, 1.0, 1.0
    machine.proc.memory(64000, 100)
    assert machine.look(30) == Seen()
    machine.of_user = 0.5
    machine.jobs[0] = machine.jobs[0]._replace(share=Share(7))
    assert machine.look(2).demands[JOB].cores == 6


def test_neighbours_give_way_as_well(machine: Machine) -> None:
    machine.jobs[0] = machine.jobs[0]._replace(share=Share(4))
    machine.neighbours = 4
    machine.ours = 4.0
    assert machine.look(10) == Seen()
    machine.others = 2.0
    assert machine.look(2).demands == {JOB: Demand(cores=2)}


def test_a_person_gets_the_reserve(machine: Machine) -> None:
    machine.jobs[0] = machine.jobs[0]._replace(share=Share(8))
    machine.is_anybody = True
    seen = machine.look(3)
    assert seen.demands == {JOB: Demand(cores=7)}
    assert seen.facts == {"room": {"anybody": True}}
    machine.jobs = []
    assert machine.look(1) == Seen(facts={"room": {"anybody": True}})


@pytest.mark.parametrize("rules", [GuestRules(guest="mine"), GuestRules(is_granted=True)])
def test_on_a_machine_of_ones_own_nobody_counts(machine: Machine, rules: GuestRules) -> None:
    machine.others, machine.is_anybody = 8.0, True
    machine.proc.memory(64000, 10)
    assert machine.look(10, rules) == Seen()


def test_a_job_that_is_paused_is_no_use_to_squeeze(machine: Machine) -> None:
    machine.others = 5.0
    machine.jobs[0] = machine.jobs[0]._replace(paused_by=frozenset({"desk"}))
    assert machine.look(5) == Seen()


def test_cores_that_come_and_go_are_not_mistaken_for_load(machine: Machine) -> None:
    machine.ours = 6.0
    machine.look(5)
    machine.cores = frozenset({1, 2})
    assert machine.look(1) == Seen()


def test_after_a_suspend_it_begins_anew(machine: Machine) -> None:
    machine.look(3)
    machine.at += 3600
    machine.busy += 8 * 3600 * TICKS_PER_S
    assert machine.look(1) == Seen()
    assert machine.look(2) == Seen()


def test_the_job_that_loses_least_leaves_when_memory_runs_short(machine: Machine) -> None:
    other = machine.job("2", 300, 1, started_at=90.0)
    machine.jobs.append(other)
    machine.saved = {JOB: 95.0}
    machine.is_anybody = True
    machine.proc.memory(64000, 2047)
    assert machine.look(1).demands == {}
    end = machine.look(1).demands[JOB].end
    assert end is not None
    assert end.outcome == "released"
    assert end.reason == "handed back: lab07 runs out of memory; others use 60.3G"
    assert end.most_grace_s == 600
    machine.jobs[0] = machine.jobs[0]._replace(is_ending=True)
    assert machine.look(3).demands == {}


def test_who_took_more_than_the_default_leaves_first(machine: Machine) -> None:
    other = machine.job("2", 300, 1, started_at=90.0)
    machine.jobs[0] = machine.jobs[0]._replace(share=Share(6, 50))
    machine.jobs.append(other._replace(share=Share(1, 50)))
    status = machine.proc.root / "201/status"
    status.write_text("RssAnon:\t102400 kB\nRssShmem:\t0 kB\n")
    (machine.proc.root / "301/status").write_text("RssAnon:\t1024 kB\n")  # the rest is a file
    machine.is_anybody = True
    machine.proc.memory(64000, 2047)
    assert machine.look(2).demands.keys() == {JOB}
    machine.jobs[0] = machine.jobs[0]._replace(share=Share(6, 50, mem_is_asked=True))
    assert machine.look(2).demands.keys() == {other.id}


def test_below_half_of_the_reserve_there_is_no_grace(machine: Machine) -> None:
    machine.is_anybody = True
    machine.proc.memory(64000, 1023)
    end = machine.look(1).demands[JOB].end
    assert end is not None
    assert end.most_grace_s == 0


def test_with_nobody_there_the_reserve_may_be_used(machine: Machine) -> None:
    machine.proc.memory(64000, 10)
    assert machine.look(5) == Seen()


def test_who_is_cramped_for_long_is_told(machine: Machine) -> None:
    machine.others = 7.0
    seen = machine.look(600, GuestRules(desk_evict_s=300))
    assert seen.demands == {JOB: Demand(cores=1)}
    assert seen.facts == {"room": {"cramped": [["1", 1]]}}
    machine.jobs = []
    assert machine.look(1) == Seen()
