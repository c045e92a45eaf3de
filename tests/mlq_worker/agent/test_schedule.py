"""What a worker claims: priority, prefetch, and that no big job starves."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.placement import GpuOffer, Offer, RunningAttempt
from mlq.jobs.request import JobClass, Request
from mlq.store.replies import Head, Waiting
from mlq_worker.agent.prefetch import PREFETCH_MOST, ShortClass
from mlq_worker.agent.schedule import CLAIM_MOST, Plan, PlanInput, plan

OFFER = Offer("lab01", 8, 62000, (), 8, 62000)
PATIENCE_S = 1800.0


def head(
    job_id: str,
    cores: int = 1,
    *,
    length: int = 1,
    priority: int = 0,
    gpus: int = 0,
    limit_s: float | None = None,
) -> Head:
    name = JobClass(priority, Request(cores, 1000, gpus, 1000 * gpus)).name
    return Head(name, job_id, length, "", float(job_id), limit_s)


def planned(
    *heads: Head,
    free: int = 8,
    offer: Offer = OFFER,
    waited_s: dict[str, float] | None = None,
    running: tuple[RunningAttempt, ...] = (),
    short: dict[str, ShortClass] | None = None,
    reservations: dict[str, str] | None = None,
) -> Plan:
    waiting = Waiting(heads, reservations or {})
    offer = replace(offer, cores=min(free, offer.cores))
    plan_input = PlanInput(waiting, offer, running, waited_s or {}, short or {})
    return plan(plan_input, PATIENCE_S, 2048)


def busy(cores: int, ends_in_s: float | None) -> RunningAttempt:
    return RunningAttempt(Request(cores, 1000), (), ends_in_s)


def test_every_class_that_fits_is_offered_with_how_many_fit_alone() -> None:
    one, two, big = head("1", 1, length=3), head("2", 4, length=9), head("3", 16)
    assert planned(one, two, big).fits == ((one.class_name, 3), (two.class_name, 2))
    assert planned(one, two, free=3).fits == ((one.class_name, 3),)
    assert planned(free=8) == Plan()


def test_nothing_that_lasts_is_claimed_ahead() -> None:
    one = head("1", length=1000)
    for short in (
        ShortClass(),
        ShortClass(held=8, width=8),
        ShortClass(held=8, width=8, mean_s=0.2),
    ):
        assert planned(one, free=0, short={one.class_name: short}).fits == ()


def test_short_jobs_are_claimed_ahead_in_gulps() -> None:
    one = head("1", length=1000)

    def ahead(held: int, free: int = 0, mean_s: float = 0.01) -> int:
        short = ShortClass(held=held, width=2, mean_s=mean_s)
        return dict(planned(one, free=free, short={one.class_name: short}).fits).get(
            one.class_name, 0
        )

    assert ahead(held=2) == 20  # ten lifetimes of each of the two that run
    assert ahead(held=2 + 10) == 10  # half of them are left: refill
    assert ahead(held=2 + 11) == 0
    assert ahead(held=2, mean_s=0.00001) == PREFETCH_MOST
    assert ahead(held=2, free=1) == 1 + 30


def test_no_more_is_claimed_than_waits_or_than_one_claim_carries() -> None:
    few, many = head("1", length=3), head("1", length=10**6)
    short = ShortClass(held=2, width=2, mean_s=0.001)
    assert planned(few, short={few.class_name: short}).fits == ((few.class_name, 3),)
    ((_, count),) = planned(many, offer=replace(OFFER, cores=10**4, mem_mib=10**8), free=10**4).fits
    assert count == CLAIM_MOST


def test_gpu_jobs_are_never_claimed_ahead() -> None:
    gpu = GpuOffer("GPU-0", "GTX", 2500, 11000)
    one = head("1", gpus=1, length=100)
    short = ShortClass(held=2, width=2, mean_s=0.001)
    answer = planned(one, offer=replace(OFFER, gpus=(gpu,)), short={one.class_name: short})
    assert answer.fits == ((one.class_name, 2),)


def test_a_job_that_waits_too_long_reserves_the_machine() -> None:
    small, big = head("2", length=99), head("1", 8)
    impatient = {"1": PATIENCE_S + 1}
    assert planned(small, big, free=1, waited_s={"1": PATIENCE_S}).reserve is None
    answer = planned(small, big, free=1, waited_s=impatient, running=(busy(7, None),))
    assert answer == Plan((), "1", frozenset())


def test_a_reserved_machine_claims_its_job_as_soon_as_it_fits_and_only_that() -> None:
    small, big = head("2", length=99), head("1", 8)
    answer = planned(small, big, waited_s={"1": PATIENCE_S + 1}, reservations={"1": "lab01"})
    assert answer == Plan(((big.class_name, 1),), "1", frozenset({"1"}))


def test_a_draining_machine_backfills_with_what_surely_ends_in_time() -> None:
    quick, slow, endless = (
        head("2", limit_s=50),
        head("3", 2, limit_s=101),
        head("4", 3),
    )
    big = head("1", 8)
    answer = planned(
        quick,
        slow,
        endless,
        big,
        free=4,
        waited_s={"1": PATIENCE_S + 1},
        running=(busy(4, 100.0),),
    )
    assert answer == Plan(((quick.class_name, 1),), "1", frozenset({"2"}))


def test_without_time_limits_on_what_runs_nothing_is_backfilled() -> None:
    quick, big = head("2", limit_s=1), head("1", 8)
    answer = planned(quick, big, free=4, waited_s={"1": PATIENCE_S + 1}, running=(busy(4, None),))
    assert answer == Plan((), "1", frozenset())


def test_priority_goes_before_starving() -> None:
    urgent, small, big = head("3", priority=1), head("2"), head("1", 8)
    answer = planned(
        urgent, small, big, free=4, waited_s={"1": PATIENCE_S + 1}, running=(busy(4, None),)
    )
    assert answer == Plan(((urgent.class_name, 1),), "1", frozenset({"3"}))


def test_of_two_starving_jobs_the_better_one_reserves() -> None:
    waited_s = dict.fromkeys("123", PATIENCE_S + 1)
    one, two, urgent = head("1", 7), head("2", 8), head("3", 6, priority=1)
    assert planned(two, one, free=1, waited_s=waited_s).reserve == "1"
    assert planned(two, one, urgent, free=1, waited_s=waited_s).reserve == "3"


def test_another_machines_reservation_leaves_this_one_free() -> None:
    small, big = head("2"), head("1", 8)
    answer = planned(
        small, big, free=4, waited_s={"1": PATIENCE_S + 1}, reservations={"1": "lab02"}
    )
    assert answer == Plan(((small.class_name, 1),), None)


def test_a_job_no_machine_like_this_could_run_reserves_nothing() -> None:
    small, huge = head("2"), head("1", 9)
    answer = planned(small, huge, free=4, waited_s={"1": PATIENCE_S * 9})
    assert answer == Plan(((small.class_name, 1),), None)


def test_a_machine_that_lost_its_gpu_gives_its_reservation_up() -> None:
    small, big = head("2"), head("1", 8, gpus=1)
    answer = planned(
        small, big, free=4, waited_s={"1": PATIENCE_S + 1}, reservations={"1": "lab01"}
    )
    assert answer == Plan(((small.class_name, 1),), None)


HEADS = st.builds(
    head,
    job_id=st.just("0"),
    cores=st.integers(1, 12),
    length=st.integers(1, 99),
    priority=st.integers(-1, 1),
    limit_s=st.none() | st.floats(1, 500),
)


@given(
    st.lists(HEADS, max_size=6, unique_by=lambda one: one.class_name),
    st.integers(0, 8),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.none() | st.floats(1, 500),
)
def test_whatever_waits_the_plan_is_sound(
    heads: list[Head], free: int, impatient: list[bool], ends_in_s: float | None
) -> None:
    heads = [replace(one, id=str(index), order=index) for index, one in enumerate(heads)]
    waited_s = {one.id: PATIENCE_S + 1 for one, late in zip(heads, impatient, strict=False) if late}
    running = (busy(8 - free, ends_in_s),) if free < 8 else ()
    answer = planned(*heads, free=free, waited_s=waited_s, running=running)
    by_class = {one.class_name: one for one in heads}
    by_id = {one.id: one for one in heads}
    for name, count in answer.fits:
        cores = JobClass.parse(name, default_mem_mib=1).request.cores
        assert 1 <= count <= by_class[name].length
        assert count * cores <= free
    if answer.reserve is None:
        return
    starving = by_id[answer.reserve]
    assert answer.only is not None
    assert {by_class[name].id for name, _ in answer.fits} <= answer.only
    assert waited_s[starving.id] > PATIENCE_S
    for name, _ in answer.fits:
        claimed = by_class[name]
        priority = JobClass.parse(name, default_mem_mib=1).priority
        assert (
            claimed is starving
            or priority > JobClass.parse(starving.class_name, default_mem_mib=1).priority
            or (claimed.time_limit_s or 1e9) <= (ends_in_s or 0)
        )
