"""What fits where: the one function behind the scheduler and `mlq explain`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.placement import (
    Fit,
    GpuOffer,
    Misfit,
    NameMismatch,
    Offer,
    Resource,
    RunningAttempt,
    Short,
    WrongGpus,
    capacity,
    earliest_start_s,
    place,
)
from mlq.jobs.request import Request

MIB = st.integers(0, 24000)
MODELS = st.sampled_from(["GTX", "A100"])


@st.composite
def gpus(draw: st.DrawFn) -> tuple[GpuOffer, ...]:
    count = draw(st.integers(0, 4))
    totals = [draw(st.integers(1, 24000)) for _ in range(count)]
    return tuple(
        GpuOffer(
            f"GPU-{index}", draw(MODELS), draw(st.integers(0, total)), total, draw(st.booleans())
        )
        for index, total in enumerate(totals)
    )


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    total_cores, total_mem_mib = draw(st.integers(0, 64)), draw(st.integers(0, 64000))
    return Offer(
        machine=draw(st.sampled_from(["lab01", "gpu07"])),
        cores=draw(st.integers(0, total_cores)),
        mem_mib=draw(st.integers(0, total_mem_mib)),
        gpus=draw(gpus()),
        total_cores=total_cores,
        total_mem_mib=total_mem_mib,
    )


REQUESTS = st.builds(
    Request,
    cores=st.integers(1, 16),
    mem_mib=st.integers(1, 40000),
    gpus=st.integers(0, 3),
    vram_mib=st.integers(0, 12000),
    machine=st.sampled_from(["", "", "", "gpu*", "!gpu*"]),
    gpu_type=st.sampled_from(["", "", "a100", "gtx"]),
)


def machine(cores: int = 8, mem_mib: int = 62000, *free_mib: int, total_mib: int = 11000) -> Offer:
    cards = tuple(
        GpuOffer(f"GPU-{index}", "GTX", free, total_mib) for index, free in enumerate(free_mib)
    )
    return Offer("lab01", cores, mem_mib, cards, 8, 62000)


@given(REQUESTS, offers())
def test_a_job_fits_if_and_only_if_nothing_is_short(request: Request, offer: Offer) -> None:
    wanted_mib = [request.vram_mib or int(gpu.total_mib * 0.9) for gpu in offer.gpus]
    enough = sum(
        gpu.free_mib >= mib and request.gpu_type in ("", gpu.name.lower())
        for gpu, mib in zip(offer.gpus, wanted_mib, strict=True)
    )
    fits = (
        request.allows(offer.machine)
        and request.cores <= offer.cores
        and request.mem_mib <= offer.mem_mib
        and request.gpus <= enough
    )
    answer = place(request, offer)
    assert isinstance(answer, Fit) == fits
    if isinstance(answer, Misfit):
        assert answer.reasons
        for reason in answer.reasons:
            assert isinstance(reason, NameMismatch | WrongGpus) or reason.needed > reason.free


@given(REQUESTS, offers())
def test_what_is_left_after_a_fit_is_never_negative(request: Request, offer: Offer) -> None:
    answer = place(request, offer)
    if isinstance(answer, Fit):
        assert len(set(answer.gpu_uuids)) == request.gpus
        left = offer.after(request, answer)
        assert left.cores >= 0
        assert left.mem_mib >= 0
        assert all(gpu.free_mib >= 0 for gpu in left.gpus)
        changed = [a.uuid for a, b in zip(offer.gpus, left.gpus, strict=True) if a != b]
        assert set(changed) <= set(answer.gpu_uuids)
        assert left.when_idle() == offer.when_idle()


@given(REQUESTS, offers(), st.integers(0, 70))
def test_how_many_counts_what_placing_one_after_another_gives(
    request: Request, offer: Offer, at_most: int
) -> None:
    placed, left = 0, offer
    while placed < at_most and isinstance(fit := place(request, left), Fit):
        left, placed = left.after(request, fit), placed + 1
    assert capacity(request, offer, at_most) == placed


@given(REQUESTS, offers())
def test_a_misfit_that_says_never_fits_no_emptier_machine(request: Request, offer: Offer) -> None:
    answer = place(request, offer)
    if isinstance(answer, Misfit):
        assert answer.fits_when_idle == isinstance(place(request, offer.when_idle()), Fit)


@given(REQUESTS, offers(), st.lists(st.tuples(REQUESTS, st.none() | st.floats(0, 1e6))))
def test_a_job_surely_fits_when_free_in_s_says_so(
    wanted: Request, offer: Offer, running: list[tuple[Request, float | None]]
) -> None:
    # Of an exclusive GPU it is not known what a screen keeps of it: it counts as free as a whole.
    whole = [replace(one, free_mib=one.total_mib * bool(one.free_mib)) for one in offer.gpus]
    cards = zip(offer.gpus, whole, strict=True)
    offer = replace(offer, gpus=tuple(full if one.exclusive else one for one, full in cards))
    # Each occupant was placed while it fitted, so what it gives back was really taken.
    now, running = offer, []
    for request, ends_in_s in running:
        fit = place(request, now)
        if isinstance(fit, Fit):
            now = now.after(request, fit)
            running.append(RunningAttempt(request, fit.gpu_uuids, ends_in_s))
    begins_s = earliest_start_s(wanted, now, running)
    if isinstance(place(wanted, now), Fit):
        assert begins_s == 0
    if begins_s is None:
        assert not isinstance(place(wanted, now), Fit)
        return
    left = [one for one in running if one.ends_in_s is None or one.ends_in_s > begins_s]
    then = offer
    for one in left:
        then = then.after(one.request, Fit(one.gpu_uuids))
    assert isinstance(place(wanted, then), Fit)


def test_several_small_jobs_share_a_gpu_and_leave_a_whole_one_free() -> None:
    offer, small = machine(8, 62000, 11000, 11000), Request(1, 1000, 1, 3000)
    used = []
    for _ in range(3):
        fit = place(small, offer)
        assert isinstance(fit, Fit)
        used += fit.gpu_uuids
        offer = offer.after(small, fit)
    assert used == ["GPU-0"] * 3
    assert place(Request(1, 1000, 1, 0), offer) == Fit(("GPU-1",))


def test_gpus_are_taken_tightest_first() -> None:
    offer = machine(8, 62000, 9000, 4000, 6000)
    assert place(Request(1, 1, 1, 3500), offer) == Fit(("GPU-1",))
    assert place(Request(1, 1, 1, 5000), offer) == Fit(("GPU-2",))
    assert place(Request(1, 1, 2, 3500), offer) == Fit(("GPU-1", "GPU-2"))


def test_a_whole_gpu_is_one_that_nobody_uses() -> None:
    whole = Request(1, 1, 1, 0)
    assert place(whole, machine(8, 62000, 10700)) == Fit(("GPU-0",))
    crowded = place(whole, machine(8, 62000, 9800))
    assert isinstance(crowded, Misfit)
    assert crowded.fits_when_idle
    taken = machine(8, 62000, 10700).after(whole, Fit(("GPU-0",)))
    assert capacity(Request(1, 1, 1, 2000), taken, 9) == 0


def test_everything_that_is_short_is_named() -> None:
    answer = place(Request(9, 70000, 1, 12000, "gpu*"), machine(2, 1000, 4000))
    assert isinstance(answer, Misfit)
    assert answer.reasons == (
        NameMismatch("gpu*"),
        Short(Resource.CORES, 9, 2, 8),
        Short(Resource.MEMORY, 70000, 1000, 62000),
        Short(Resource.GPUS, 1, 0, 0, vram_mib=12000),
    )
    assert not answer.fits_when_idle


@pytest.mark.parametrize(
    ("request_", "free_mib", "short"),
    [
        (Request(1, 1, 1, 6000), (4000,), Short(Resource.GPU_MEMORY, 6000, 4000, 11000)),
        (Request(1, 1, 1, 6000), (4000, 5000), Short(Resource.GPUS, 1, 0, 2, 6000)),
        (Request(1, 1, 2, 6000), (9000, 5000), Short(Resource.GPUS, 2, 1, 2, 6000)),
        (Request(1, 1, 1, 6000), (), Short(Resource.GPUS, 1, 0, 0, 6000)),
        (Request(1, 1, 1, 0), (4000,), Short(Resource.GPUS, 1, 0, 1)),
        (Request(1, 1, 3, 100), (9000, 9000), Short(Resource.GPUS, 3, 2, 2, 100)),
    ],
)
def test_what_a_gpu_lacks_is_said_as_precisely_as_it_can_be(
    request_: Request, free_mib: tuple[int, ...], short: Short
) -> None:
    assert place(request_, machine(8, 62000, *free_mib)) == Misfit((short,))


def test_a_reservation_begins_when_enough_time_limits_have_run_out() -> None:
    offer, big = machine(0), Request(6, 1000)
    ends = [RunningAttempt(Request(4, 1000), (), 50.0), RunningAttempt(Request(2, 1000), (), 200.0)]
    assert earliest_start_s(big, offer, ends) == 200
    assert earliest_start_s(Request(4, 1000), offer, ends) == 50
    assert earliest_start_s(Request(8, 1000), offer, ends) is None
    endless = [replace(ends[0], ends_in_s=None), ends[1]]
    assert earliest_start_s(big, offer, endless) is None


def test_a_gpu_comes_back_to_those_who_wait_for_it() -> None:
    offer = machine(8, 62000, 1000)
    holder = RunningAttempt(Request(1, 1000, 1, 8000), ("GPU-0",), 30.0)
    assert earliest_start_s(Request(1, 1, 1, 9000), offer, [holder]) == 30
    assert earliest_start_s(Request(1, 1, 1, 9001), offer, [holder]) is None
    whole = RunningAttempt(Request(1, 1000, 1, 0), ("GPU-0",), 10.0)
    assert earliest_start_s(Request(1, 1, 1, 0), machine(8, 62000, 0), [whole]) == 10


@given(REQUESTS, offers())
def test_an_exclusive_gpu_is_given_to_one_job_at_most(request: Request, offer: Offer) -> None:
    request = replace(request, gpus=max(1, request.gpus), vram_mib=max(1, request.vram_mib))
    seen: set[str] = set()
    while isinstance(fit := place(request, offer), Fit):
        exclusive = {gpu.uuid for gpu in offer.gpus if gpu.exclusive and gpu.uuid in fit.gpu_uuids}
        assert not exclusive & seen
        seen |= exclusive
        offer = offer.after(request, fit)


def test_only_gpus_of_the_wanted_type_count() -> None:
    a100, gtx = "NVIDIA A100-SXM4-40GB", "NVIDIA GeForce GTX 1080 Ti"
    models = (gtx, a100, gtx)
    cards = tuple(GpuOffer(f"GPU-{at}", one, 9000, 9000) for at, one in enumerate(models))
    offer = Offer("lab01", 8, 62000, cards, 8, 62000)
    wanted = Request(1, 1024, 1, 4000, gpu_type="a100")
    assert place(wanted, offer) == Fit(("GPU-1",))
    two = place(replace(wanted, gpus=2), offer)
    assert two == Misfit((WrongGpus("a100", 2, models),))
    assert not two.fits_when_idle
    busy = replace(offer, gpus=(cards[0], replace(cards[1], free_mib=0), cards[2]))
    assert place(wanted, busy) == Misfit((Short(Resource.GPU_MEMORY, 4000, 0, 9000),))
    assert place(replace(wanted, gpu_type="gtx-1080-ti", gpus=2), offer) == Fit(("GPU-0", "GPU-2"))
    none = place(wanted, replace(offer, gpus=()))
    assert none == Misfit((Short(Resource.GPUS, 1, 0, 0, 4000),))
