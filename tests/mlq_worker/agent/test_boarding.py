"""What the worker's board says before a claim, while it is on its way, and afterwards."""

from __future__ import annotations

from dataclasses import replace

from mlq.jobs.placement import GpuOffer, Offer
from mlq.jobs.request import JobClass, Request
from mlq.store.replies import Head, Waiting
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.boarding import NEXT, envelope, jobs_of, next_waiting
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.schedule import PlanInput, plan
from mlq_worker.guest.boards.board import key_of, key_of_lane

GPUS = (GpuOffer("G", "g", 11000, 11000), GpuOffer("H", "g", 11000, 11000))
OFFER = Offer("m", 8, 64000, GPUS, 8, 64000)
SMALL, GPU_JOB, BIG = Request(1, 100), Request(2, 1000, 1, 8000), Request(8, 100)


def head(job_id: str, request: Request, length: int = 1, priority: int = 0) -> Head:
    return Head(JobClass(priority, request).name, job_id, length, "", float(job_id))


def plan_input(offer: Offer, *heads: Head, waited_s: float = 0.0) -> PlanInput:
    waited = {one.id: waited_s for one in heads}
    return PlanInput(Waiting(heads, {}), offer, (), waited)


def local(job_id: str, request: Request, *gpus: str, prefetched: bool = False) -> LocalAttempt:
    history = History(0, 0, 0)
    name = JobClass(0, request).name
    return LocalAttempt(
        (job_id, 1), name, request, gpus, history, prefetched, 3.0, None, leader_pid=int(job_id)
    )


def test_the_most_that_any_of_several_classes_could_take() -> None:
    found = envelope([(SMALL, 20), (GPU_JOB, 2)], OFFER, 7.0)
    assert (found.key, found.cores, found.mem_mib, found.since) == (NEXT, 8, 2000, 7.0)
    assert found.vram_mib == {"G": 8000, "H": 8000}


def test_no_more_than_there_is_room_for() -> None:
    assert envelope([(GPU_JOB, 5)], replace(OFFER, gpus=GPUS[:1]), 0).vram_mib == {"G": 8000}
    assert envelope([(Request(9, 1), 1)], OFFER, 0).cores == 0
    whole = envelope([(Request(1, 1, 1), 1), (GPU_JOB, 1)], replace(OFFER, gpus=GPUS[:1]), 0)
    assert whole.vram_mib == {"G": 0}


def test_what_attempts_hold() -> None:
    table = AttemptTable()
    table.add(local("5", GPU_JOB, "G"))
    (job,) = jobs_of(table, {5: 333})
    assert job == (key_of(("5", 1)), 2, 1000, {"G": 8000}, 3.0, (), None, 333)


def test_a_lane_of_short_jobs_is_one_and_stays_the_same() -> None:
    table = AttemptTable()
    for number in range(1, 9):
        table.add(local(str(number), SMALL, prefetched=True))
    name = JobClass(0, SMALL).name
    table.prefetch.set_width(name, 3)
    (lane,) = jobs_of(table)
    assert (lane.key, lane.cores, lane.mem_mib) == (key_of_lane(name), 3, 300)
    table.add(local("99", SMALL, prefetched=True))
    assert jobs_of(table) == (lane,)


def test_the_next_job_waits_by_priority_then_age() -> None:
    heads = head("3", SMALL), head("2", BIG), head("4", GPU_JOB, priority=5)
    found = next_waiting(plan_input(OFFER, *heads, waited_s=40), {}, 2048, 100.0)
    assert found is not None
    assert (found.key, found.gpus, found.since) == (key_of(("4", 0)), 1, 60.0)
    coming = {heads[2].class_name: 1}
    found = next_waiting(plan_input(OFFER, *heads), coming, 2048, 100.0)
    assert found is not None
    assert found.cores == 8


def test_more_of_a_class_than_are_coming_wait_on() -> None:
    heads = (head("3", SMALL, length=9),)
    assert next_waiting(plan_input(OFFER, *heads), {heads[0].class_name: 8}, 2048, 0)
    assert not next_waiting(plan_input(OFFER, *heads), {heads[0].class_name: 9}, 2048, 0)


def test_what_could_never_run_here_does_not_wait_here() -> None:
    assert next_waiting(plan_input(OFFER, head("1", Request(80, 1))), {}, 2048, 0) is None


def test_a_neighbours_big_job_is_waited_for() -> None:
    used = replace(OFFER, cores=4)
    long, brief = head("1", SMALL), replace(head("2", Request(2, 100)), time_limit_s=60.0)
    asked = plan_input(used, long, brief)
    assert len(plan(asked, 1800, 2048).fits) == 2
    kept = replace(asked, kept_for=BIG)
    assert plan(kept, 1800, 2048).fits == ()  # nobody says when the neighbour's jobs end
    assert plan(kept, 1800, 2048).reserve is None
