"""Jobs keep to cores of their own, as many as all watches together leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from attempt_events import order
from fake_proc import FakeProc

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.cores.autogroups import Autogroups
from mlq_worker.guest.cores.cores import Cores
from mlq_worker.guest.cores.job_cores import JobCores
from mlq_worker.guest.own_processes import OwnProcesses
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.trees import Trees
from mlq_worker.guest.watch import Demand, GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

EIGHT = frozenset(range(8))
JOB = AttemptId("1", 1)
RULES, GRANTED = GuestRules(), GuestRules(is_granted=True)


@dataclass
class Machine:
    """A kernel with eight cores, and the other watches."""

    narrowed: bool = False
    masks: dict[int, Cores] = field(default_factory=dict)
    cores: int | None = None
    taken: Cores = frozenset()
    online: Cores = EIGHT

    def usable(self) -> Cores:
        return self.online

    def is_narrowed(self) -> bool:
        return self.narrowed

    def siblings(self, core: int) -> Cores:
        return frozenset((core,))

    def threads(self, pid: int) -> list[int]:
        return [pid]

    def affinity(self, thread: int) -> Cores | None:
        return self.masks.get(thread)

    def pin(self, thread: int, cores: Cores) -> bool:
        self.masks[thread] = cores
        return True

    def look(self, _attempts: Sequence[GuestAttempt], _rules: GuestRules, _now: Moment) -> Seen:
        return Seen({JOB: Demand(cores=self.cores)})


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def jobs(machine: Machine, tmp_path: Path) -> JobCores:
    proc = FakeProc(tmp_path)
    proc.process(200)
    proc.process(201, parent=200)
    own = OwnProcesses(Trees(proc.root), lambda: ())
    return JobCores(machine, machine, own, lambda: machine.taken, Autogroups(proc.root))


def start(jobs: JobCores, machine: Machine, cores: int = 4) -> GuestAttempt:
    made = replace(order(JOB.job_id, attempt=JOB), share=Share(cores))
    (first,) = jobs.start(made, RULES)
    machine.masks = {200: EIGHT, 201: first}
    return GuestAttempt(JOB, Target(200), Share(cores), 0.0, "")


def of(*numbers: int) -> Cores:
    return frozenset(numbers)


def test_a_squeeze_and_its_end(jobs: JobCores, machine: Machine) -> None:
    one = start(jobs, machine)
    jobs.look([one], RULES, Moment(1.0, ""))
    assert machine.masks == {200: of(0, 1, 2, 3), 201: of(0, 1, 2, 3)}
    machine.cores = 2
    assert jobs.look([one], RULES, Moment(2.0, "")).demands == {JOB: Demand(cores=2)}
    assert machine.masks[201] == jobs.cores_of(JOB) == of(0, 1)
    machine.cores = None
    jobs.look([one], RULES, Moment(3.0, ""))
    assert machine.masks[201] == of(0, 1, 2, 3)


def test_neighbours_cores_are_left(jobs: JobCores, machine: Machine) -> None:
    machine.taken = of(0, 1)
    one = start(jobs, machine)
    assert machine.masks[201] == of(2, 3, 4, 5)
    machine.taken = of(0, 1, 2)
    jobs.look([one], RULES, Moment(1.0, ""))
    assert machine.masks[201] == of(3, 4, 5, 6)


def test_cores_that_go_offline_are_replaced_and_one_core_is_enough(
    jobs: JobCores, machine: Machine
) -> None:
    one = start(jobs, machine)
    machine.online = of(2, 3, 4, 5, 6)
    jobs.look([one], RULES, Moment(1.0, ""))
    assert machine.masks[201] == of(2, 3, 4, 5)
    machine.online = of(7)
    jobs.look([one], RULES, Moment(2.0, ""))
    assert machine.masks[201] == of(7)


def test_without_the_limit_a_pinned_job_is_freed(jobs: JobCores, machine: Machine) -> None:
    one = start(jobs, machine)
    jobs.look([one], GuestRules(enforce="mem"), Moment(1.0, ""))
    assert machine.masks[201] == EIGHT
    made = replace(order("2", attempt=AttemptId("2", 1)), share=Share(1))
    assert jobs.start(made, GuestRules(enforce="none")) == ()


def test_in_an_allocation_only_a_system_that_pins_us_lets_us_pin(
    jobs: JobCores, machine: Machine
) -> None:
    made = replace(order("1", attempt=JOB), share=Share(2))
    assert jobs.start(made, GRANTED) == ()
    machine.narrowed = True
    assert jobs.start(made, GRANTED) == (of(0, 1),)


def test_without_jobs_nothing_is_read(jobs: JobCores, machine: Machine) -> None:
    machine.threads = None  # type: ignore[assignment,method-assign]
    assert jobs.look([], RULES, Moment(1.0, "")).demands == {JOB: Demand(cores=None)}
