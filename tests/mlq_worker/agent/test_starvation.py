"""A big job among a stream of small ones starts within a bound, under simulated time.

The room is simulated; what is claimed and what is reserved is decided by the real `plan`, and
chosen among the classes that fit as `claim.lua` chooses: highest priority, then first submitted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from mlq.jobs.placement import Offer, RunningAttempt
from mlq.jobs.request import JobClass, Request
from mlq.store.replies import Head, Waiting
from mlq_worker.agent.schedule import PlanInput, plan

TURN_S = 10
PATIENCE_S = 1800.0
HOUR_S = 3600
CORES, MACHINES = 8, 3
LONGEST_S = 1500
# So many small jobs wait at any time: there is always one more, and none waits for long.
WAITING = 8


@dataclass
class Job:
    """A job of the simulation: what it asks for, how long it takes and when it may be ended."""

    order: int
    cores: int
    lasts_s: int
    limit_s: float | None
    submitted_s: int
    priority: int = 0
    started_s: int | None = None
    machine: str = ""

    @property
    def job_class(self) -> JobClass:
        return JobClass(self.priority, Request(self.cores, 100 * self.cores))


@dataclass
class Room:
    """Machines and a queue that a stream of small jobs keeps full."""

    patience_s: float
    small: Iterator[tuple[int, int, float | None]]
    now_s: int = 0
    submitted: list[Job] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)
    running: list[Job] = field(default_factory=list)
    reservations: dict[str, str] = field(default_factory=dict)
    reserved_at_s: dict[str, int] = field(default_factory=dict)

    def submit(self, cores: int, lasts_s: int, limit_s: float | None) -> Job:
        job = Job(len(self.submitted), cores, lasts_s, limit_s, self.now_s)
        self.submitted.append(job)
        self.waiting.append(job)
        return job

    def until(self, condition: Callable[[], bool], deadline_s: int) -> None:
        while not condition() and self.now_s < deadline_s:
            self.turn()

    def turn(self) -> None:
        self.now_s += TURN_S
        self.running = [
            job for job in self.running if (job.started_s or 0) + job.lasts_s > self.now_s
        ]
        while len(self.waiting) < WAITING:
            self.submit(*next(self.small))
        # The machines take their turns in another order each time, as in life.
        names = [f"lab{index}" for index in range(MACHINES)]
        random.Random(self.now_s).shuffle(names)  # noqa: S311 - a simulation
        for name in names:
            while self.claim(name):
                pass

    def claim(self, machine: str) -> Job | None:
        heads: dict[str, Job] = {}
        for job in self.waiting:
            heads.setdefault(job.job_class.name, job)
        answer = plan(self.plan_input(machine, heads), self.patience_s, 2048)
        holders = self.reservations.values()
        if answer.reserve is not None and machine not in holders:
            self.reservations.setdefault(answer.reserve, machine)
            self.reserved_at_s.setdefault(answer.reserve, self.now_s)
        fitting = [heads[name] for name, _ in answer.fits]
        best = min(fitting, key=lambda job: (-job.priority, job.order), default=None)
        if best is not None:
            best.started_s, best.machine = self.now_s, machine
            self.waiting.remove(best)
            self.running.append(best)
            self.reservations.pop(str(best.order), None)
        return best

    def plan_input(self, machine: str, heads: dict[str, Job]) -> PlanInput:
        here = [job for job in self.running if job.machine == machine]
        return PlanInput(
            waiting=Waiting(
                tuple(
                    Head(name, str(job.order), 1, "", job.order, job.limit_s)
                    for name, job in heads.items()
                ),
                dict(self.reservations),
            ),
            offer=Offer(machine, CORES - sum(job.cores for job in here), 9999, (), CORES, 9999),
            running=[
                RunningAttempt(
                    job.job_class.request,
                    (),
                    None
                    if job.limit_s is None
                    else (job.started_s or 0) + job.limit_s - self.now_s,
                )
                for job in here
            ],
            waited_s={str(job.order): self.now_s - job.submitted_s for job in heads.values()},
        )


def stream(seed: int, *, limited: bool) -> Iterator[tuple[int, int, float | None]]:
    """Small jobs without end: cores, how long they last, and their time limit."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    while True:
        lasts_s = draw.randrange(60, LONGEST_S, TURN_S)
        yield draw.randint(1, 3), lasts_s, lasts_s + 60 if limited else None


def big_one(room: Room) -> Job:
    """Let the room fill up, then submit a job that needs a whole machine."""
    room.until(lambda: False, HOUR_S)
    return room.submit(CORES, 600, 1200)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limited", [True, False])
def test_a_big_job_starts_within_a_bound(seed: int, limited: bool) -> None:
    room = Room(PATIENCE_S, stream(seed, limited=limited))
    big = big_one(room)
    room.until(lambda: big.started_s is not None, 12 * HOUR_S)
    assert big.started_s is not None
    # Its patience, then at most until the last of those that ran at that moment has ended.
    assert big.started_s - big.submitted_s <= PATIENCE_S + LONGEST_S + 60 + 2 * TURN_S


@pytest.mark.parametrize("seed", range(2))
def test_without_reservations_it_would_wait_for_ever(seed: int) -> None:
    room = Room(math.inf, stream(seed, limited=True))
    big = big_one(room)
    room.until(lambda: big.started_s is not None, 12 * HOUR_S)
    assert big.started_s is None


def drained(seed: int, *, limited: bool) -> tuple[Room, Job, list[Job]]:
    """Run until the big job starts; also return what its machine took while it was reserved."""
    room = Room(PATIENCE_S, stream(seed, limited=limited))
    big = big_one(room)
    room.until(lambda: big.started_s is not None, 12 * HOUR_S)
    since_s = room.reserved_at_s[str(big.order)]
    taken = [
        job
        for job in room.submitted
        if job is not big
        and job.machine == big.machine
        and since_s < (job.started_s or 0) <= (big.started_s or 0)
    ]
    return room, big, taken


def test_a_draining_machine_takes_what_surely_ends_before_it_is_needed() -> None:
    backfilled = 0
    for seed in range(10):
        _, big, taken = drained(seed, limited=True)
        assert big.started_s is not None
        for job in taken:
            assert job.started_s is not None
            assert job.started_s + job.lasts_s <= big.started_s, "it delayed the big job"
        backfilled += len(taken)
    assert backfilled > 0


def test_without_time_limits_a_draining_machine_takes_nothing() -> None:
    for seed in range(5):
        assert drained(seed, limited=False)[2] == []


def test_only_one_machine_drains_and_the_others_go_on() -> None:
    room, big, _ = drained(1, limited=True)
    others = {
        job.machine
        for job in room.submitted
        if (job.started_s or 0) > room.reserved_at_s[str(big.order)] and job is not big
    }
    assert others >= {f"lab{index}" for index in range(MACHINES)} - {big.machine}


def test_several_big_jobs_each_get_their_turn() -> None:
    room = Room(PATIENCE_S, stream(3, limited=True))
    bigs = [big_one(room)] + [room.submit(CORES, 600, 1200) for _ in range(5)]
    room.until(lambda: all(job.started_s is not None for job in bigs), 12 * HOUR_S)
    starts = [job.started_s for job in bigs]
    assert None not in starts
    assert starts == sorted(starts, key=lambda start: start or 0)
