"""Why a job waits: the same answer as that of the worker that does not claim it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from store_fixtures import Enqueue

from mlq.api.explaining import explain
from mlq.api.queue import Queue
from mlq.jobs.explain import (
    AllEndTooSoon,
    AskedJob,
    Avoided,
    BeingRestored,
    Closed,
    Conclusion,
    Fits,
    GpuFault,
    GpuNote,
    Judgement,
    KeptFree,
    Lacks,
    MayStart,
    NeverFits,
    NoMachine,
    Reason,
    Reserved,
    Silent,
    Situation,
    TooLong,
    WaitsForRoom,
    conclude,
    judge,
)
from mlq.jobs.machine_state import Lack, MachineState
from mlq.jobs.needs import COPIES_CODE
from mlq.jobs.placement import GpuOffer, NameMismatch, Offer, Resource, RunningAttempt, Short
from mlq.jobs.request import Request
from mlq.jobs.reservations import Contender
from mlq.machines.said import state_of
from mlq.store.store import Store

LEASE_S = 45.0
GPU = GpuOffer("GPU-a", "GTX", 4096, 11264)
GPU07 = MachineState(Offer("gpu07", 3, 40000, (GPU,), 8, 62000))
LAB01 = MachineState(Offer("lab01", 8, 62000, (), 8, 62000))
SMALL = Request(1, 1024)


def judgement(
    request: Request,
    machine: MachineState = GPU07,
    *others: MachineState,
    job: AskedJob | None = None,
    **around: Any,
) -> Judgement:
    """What the first of these machines is to a job 7 that asks for this."""
    job = job or AskedJob(Contender("7", 0, request))
    return judge(job, Situation([machine, *others], LEASE_S, **around))[0]


def reasons(*args: Any, **around: Any) -> tuple[Reason, ...]:
    return judgement(*args, **around).reasons


def test_a_job_that_fits_fits() -> None:
    assert judgement(Request(2, 1024, 1, 4096)) == Judgement("gpu07", Fits.NOW)


@pytest.mark.parametrize(
    ("request_", "fits", "reason"),
    [
        (Request(4, 1024), Fits.LATER, Short(Resource.CORES, 4, 3, 8)),
        (Request(9, 1024), Fits.NEVER, Short(Resource.CORES, 9, 3, 8)),
        (Request(1, 1024, 1, 6144), Fits.LATER, Short(Resource.GPU_MEMORY, 6144, 4096, 11264)),
        (Request(1, 1024, machine="lab*"), Fits.NEVER, NameMismatch("lab*")),
    ],
)
def test_what_is_short_is_a_reason(request_: Request, fits: Fits, reason: Reason) -> None:
    assert judgement(request_) == Judgement("gpu07", fits, (reason,))


def test_a_machine_that_takes_no_jobs_says_so() -> None:
    assert reasons(SMALL, replace(GPU07, note="draining")) == (Closed("draining"),)
    assert reasons(SMALL, replace(GPU07, takes_jobs=False)) == (Closed(""),)
    assert reasons(SMALL, replace(GPU07, note="draining", heard_s=125)) == (Silent(125),)


def test_an_allocation_that_ends_too_soon_never_takes_the_job() -> None:
    pilot = replace(LAB01, offer=replace(LAB01.offer, left_s=600.0))
    limited = Contender("7", 0, SMALL, time_limit_s=601.0)
    found = judgement(SMALL, pilot, job=AskedJob(limited))
    assert (found.fits, found.reasons) == (Fits.NEVER, (TooLong(601.0, 600.0),))
    assert conclude([found, NEVER], 0) == AllEndTooSoon()
    for job in (limited._replace(time_limit_s=600.0), limited._replace(time_limit_s=None)):
        assert judgement(SMALL, pilot, job=AskedJob(job)).fits is Fits.NOW


def test_what_keeps_no_job_away_is_no_reason() -> None:
    record = {
        "cores_total": 8,
        "cores_free": 8,
        "mem_total_mib": 9999,
        "mem_free_mib": 9999,
        "offering": True,
        "condition": "NFS not answering for 20s: no answer",
        "clock_off_s": 120.0,
        "gpu_note": "one job at a time",
    }
    assert judgement(SMALL, state_of("lab01", 1.0, record)).fits is Fits.NOW


def test_a_fault_of_one_gpu_matters_only_where_the_others_do_not_do() -> None:
    half = replace(GPU07, gpu_fault="GPU 1 is lost: reboot to repair")
    fault = GpuFault(half.gpu_fault, some_left=True)
    assert judgement(Request(1, 1024, 1, 4096), half).fits is Fits.NOW
    assert judgement(Request(1, 1024, 2, 4096), half) == Judgement("gpu07", Fits.LATER, (fault,))
    cores = Short(Resource.CORES, 4, 3, 8)
    assert reasons(Request(4, 1024, 1, 4096), half) == (cores,)


def test_a_gpu_fault_matters_only_to_jobs_with_gpus() -> None:
    broken = replace(LAB01, gpu_fault="driver/library version mismatch")
    fault = GpuFault(broken.gpu_fault, some_left=False)
    assert judgement(SMALL, broken).fits is Fits.NOW
    assert judgement(Request(1, 1024, 1, 1024), broken) == Judgement("lab01", Fits.LATER, (fault,))


def test_how_gpus_are_given_out_is_told_to_whom_they_are_short() -> None:
    whole = replace(GPU07, gpu_note="one job at a time")
    short = Short(Resource.GPU_MEMORY, 6144, 4096, 11264)
    assert reasons(Request(1, 1024, 1, 6144), whole) == (GpuNote("one job at a time"), short)


def test_a_reservation_keeps_out_all_but_its_job_and_those_that_go_before_it() -> None:
    big = Contender("5", 0, Request(8, 1024))
    around: dict[str, Any] = {
        "heads": [big],
        "reservations": {"5": "gpu07"},
        "running": {"gpu07": [RunningAttempt(Request(5, 1024), (), 600.0)]},
    }
    assert reasons(SMALL, **around) == (Reserved("5"),)
    kept = judgement(big.request, job=AskedJob(big), **around)
    assert kept == Judgement("gpu07", Fits.LATER, (Short(Resource.CORES, 8, 3, 8),), True)
    for limit_s, priority, why in (
        (600, 0, ()),
        (601, 0, (Reserved("5"),)),
        (None, 1, ()),
        (None, -1, (Reserved("5"),)),
    ):
        job = AskedJob(Contender("7", priority, SMALL, limit_s))
        assert reasons(SMALL, job=job, **around) == why
    assert reasons(SMALL, LAB01, **around) == ()
    # Once the big job fits, it is the only one that is claimed there.
    idle = replace(GPU07, offer=GPU07.offer.when_idle())
    urgent = AskedJob(Contender("7", 1, SMALL))
    assert reasons(SMALL, idle, job=urgent, **around) == (Reserved("5"),)


def test_a_reservation_counts_only_while_its_job_is_next_and_could_run() -> None:
    big = Contender("5", 0, Request(8, 1024), needs="f1")
    around: dict[str, Any] = {"heads": [big], "reservations": {"5": "gpu07"}}
    assert reasons(SMALL, **around) == (Reserved("5"),)
    assert reasons(SMALL, **{**around, "heads": []}) == ()
    assert reasons(SMALL, replace(GPU07, lacks=(Lack("f1"),)), **around) == ()


def test_a_machine_is_avoided_only_if_there_is_another() -> None:
    job = AskedJob(Contender("7", 0, SMALL), avoids="gpu07", avoids_for_s=9.0)
    assert reasons(SMALL, GPU07, LAB01, job=job) == (Avoided(9.0),)
    assert reasons(SMALL, GPU07, replace(LAB01, heard_s=LEASE_S + 1), job=job) == ()
    assert reasons(SMALL, GPU07, job=job) == ()
    assert reasons(SMALL, GPU07, LAB01, job=replace(job, avoids_for_s=0.0)) == ()


def test_what_is_missing_keeps_a_job_away_only_if_another_machine_may_have_it() -> None:
    lack = Lack("f1", "no folder /data")
    without = replace(GPU07, lacks=(lack, Lack("f2", "no folder /other")))
    job = AskedJob(Contender("7", 0, SMALL, needs="f1 c1"))
    assert reasons(SMALL, without, LAB01, job=job) == (Lacks(lack),)
    assert reasons(SMALL, without, job=job) == ()
    assert reasons(SMALL, without, replace(LAB01, lacks=(lack,)), job=job) == ()
    assert reasons(SMALL, without, LAB01) == ()


def test_what_a_supervisor_cannot_do_keeps_a_job_away_from_the_only_machine_too() -> None:
    lack = Lack(COPIES_CODE, "an old supervisor")
    job = AskedJob(Contender("7", 0, SMALL, needs=f"f1 {COPIES_CODE} c1"))
    assert reasons(SMALL, replace(GPU07, lacks=(lack,)), job=job) == (Lacks(lack),)


NOW, LATER, NEVER = (Judgement("gpu07", fits) for fits in (Fits.NOW, Fits.LATER, Fits.NEVER))


@pytest.mark.parametrize(
    ("judgements", "ahead", "conclusion"),
    [
        ([], 0, NoMachine()),
        ([NEVER, NEVER], 0, NeverFits()),
        ([NEVER, LATER], 0, WaitsForRoom()),
        ([NOW, LATER], 0, MayStart(("gpu07",), 0)),
        ([NOW], 3, MayStart(("gpu07",), 3)),
        ([NOW, replace(LATER, machine="lab01", is_kept_free=True)], 3, KeptFree("lab01")),
    ],
)
def test_the_conclusion(judgements: list[Judgement], ahead: int, conclusion: Conclusion) -> None:
    assert conclude(judgements, ahead) == conclusion
    assert conclude(judgements, ahead, restoring=True) == BeingRestored()


def test_a_job_of_plain_rq_keeps_the_place_in_line_that_it_was_given(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    enqueue(1)
    store.client.call("HSET", "rq:job:by-rq", "status", "queued", "origin", "default")
    store.client.call("SADD", "rq:queues", "rq:queue:default")
    store.client.call("RPUSH", "rq:queue:default", "by-rq")
    store.peek()
    (later,) = enqueue(1)
    views = queue.views(["by-rq", later])
    assert [one.ahead for one in explain(store, queue.settings, views, 0.0)] == [1, 2]


def test_while_the_queue_is_restored_nothing_starts(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    views = queue.views(enqueue(1))
    assert explain(store, queue.settings, views, 0.0)[0].conclusion == NoMachine()
    store.client.call("SET", "mlq:restored", "1")
    assert explain(store, queue.settings, views, 0.0)[0].conclusion == BeingRestored()
    store.client.call("DEL", "mlq:restored")
