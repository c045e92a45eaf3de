"""Who goes first on a machine that several users share, and what they have had after an hour."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from shared_hour import EMPTY, User, share

from mlq.jobs.request import Request
from mlq_worker.guest.boards.board import BoardJob, Waits
from mlq_worker.guest.boards.courtesy import LAPSED_S, TURN_S, Courtesy, KeptFree
from mlq_worker.guest.boards.fairness import HALF_LIFE_S, Usage
from mlq_worker.guest.boards.neighbours import Neighbour

US, ANN, EVE = (1, "q"), (2, "q"), (3, "q")
GPU_JOB = Request(2, 1000, 1, 8000)
PATIENCE_S = 1800.0


def lasts(least_s: float, most_s: float) -> Callable[[random.Random], float]:
    return lambda rng: rng.uniform(least_s, most_s)


# --- an hour --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [((20, 60), (20, 60)), ((5, 10), (100, 140)), ((200, 300), (20, 30))],
)
def test_shares_are_within_10_percent_after_an_hour(
    ours: tuple[float, float], theirs: tuple[float, float], seed: int
) -> None:
    one = User(US, GPU_JOB, lasts(*ours))
    other = User(ANN, GPU_JOB, lasts(*theirs))
    share([one, other], 3600, seed)
    assert one.held_s + other.held_s > 0.9 * 3600 * 0.97  # the machine was hardly ever idle
    assert abs(one.held_s - other.held_s) < 0.1 * (one.held_s + other.held_s) / 2


def test_equal_jobs_alternate() -> None:
    one, other = User(US, GPU_JOB, lasts(30, 31)), User(ANN, GPU_JOB, lasts(30, 31))
    share([one, other], 3600)
    starts = sorted([(at, 1) for at in one.starts] + [(at, -1) for at in other.starts])
    ahead = list(itertools.accumulate(by for _, by in starts))
    assert len(starts) > 110
    assert max(ahead) - min(ahead) <= 4  # at no time is one more than a few jobs ahead


def test_many_small_beside_one_large() -> None:
    small = User(US, Request(1, 100), lasts(30, 90))
    large = User(ANN, Request(8, 100), lasts(100, 200))
    share([small, large], 2 * 3600, patience_s=300)
    assert large.starts
    assert small.starts[-1] > 3600


def test_three_users() -> None:
    users = [User((uid, "q"), GPU_JOB, lasts(20, 20 * uid)) for uid in (2, 3, 4)]
    share(users, 3 * 3600)
    held = [one.held_s for one in users]
    assert max(held) - min(held) < 0.1 * sum(held) / 3


def test_who_waits_and_never_starts_keeps_the_machine_idle_for_a_tenth_at_most() -> None:
    busy = User(US, GPU_JOB, lasts(5, 6))
    dreamer = User(ANN, GPU_JOB, lasts(5, 6), takes_turns=False)
    share([busy, dreamer], 3600)
    assert busy.held_s > 0.85 * 3600 * (8000 / 11000 + 2 / 8) * 0.75


# --- one look -------------------------------------------------------------------------------------


def waiting(who: tuple[int, str], request: Request = GPU_JOB, key: str = "1") -> Neighbour:
    waits = Waits(key, request.cores, request.mem_mib, request.gpus, request.vram_mib)
    return Neighbour(*who, (), waits)


def used(**seconds: float) -> Usage:
    usage = Usage()
    whos = {"us": US, "ann": ANN, "eve": EVE}
    usage.add({whos[name]: held / 100 for name, held in seconds.items()}, 0)
    usage.add({whos[name]: held / 100 for name, held in seconds.items()}, 100)
    return usage


def kept(
    courtesy: Courtesy, usage: Usage, *neighbours: Neighbour, at: float = 0.0, cores: int = 8
) -> KeptFree:
    return courtesy.keep_free(neighbours, usage, replace(EMPTY, cores=cores), PATIENCE_S, at)


def test_less_goes_first_and_more_does_not() -> None:
    first = kept(Courtesy(US), used(us=50, ann=20), waiting(ANN))
    assert first.ahead == (ANN,)
    assert first.offer.gpus[0].free_mib == 3000
    assert first.offer.cores == 6
    assert kept(Courtesy(US), used(us=50, ann=70), waiting(ANN)).ahead == ()
    assert kept(Courtesy(US), used(us=50, ann=50), waiting(ANN)).ahead == ()
    assert kept(Courtesy(US), used(us=50), Neighbour(*ANN)).ahead == ()


def test_of_several_the_least_first() -> None:
    found = kept(Courtesy(US), used(us=50, ann=20, eve=10), waiting(ANN), waiting(EVE))
    assert found.ahead == (EVE,)  # 8 of 11 GB: the second does not fit


def test_a_turn_lapses_and_comes_back() -> None:
    courtesy, usage = Courtesy(US), used(us=50)
    assert kept(courtesy, usage, waiting(ANN), at=0).ahead
    assert kept(courtesy, usage, waiting(ANN), at=TURN_S - 1).ahead
    assert not kept(courtesy, usage, waiting(ANN), at=TURN_S).ahead
    assert not kept(courtesy, usage, waiting(ANN, key="2"), at=TURN_S + 1).ahead
    assert kept(courtesy, usage, waiting(ANN), at=TURN_S + LAPSED_S).ahead


def test_who_takes_the_turn_has_another() -> None:
    courtesy, usage = Courtesy(US), used(us=50)
    kept(courtesy, usage, waiting(ANN), at=0)
    kept(courtesy, usage, waiting(ANN), at=TURN_S)
    holds = waiting(ANN)._replace(jobs=(BoardJob("a", 1),))
    assert kept(courtesy, usage, holds, at=TURN_S + 1).ahead


def test_a_turn_counts_from_when_the_job_would_fit() -> None:
    courtesy, usage = Courtesy(US), used(us=50)
    assert not kept(courtesy, usage, waiting(ANN), at=0, cores=1).ahead
    assert kept(courtesy, usage, waiting(ANN), at=500).ahead
    assert kept(courtesy, usage, waiting(ANN), at=500 + TURN_S - 1).ahead


def test_a_big_job_that_has_waited_is_reserved_for() -> None:
    courtesy, usage, big = Courtesy(US), used(us=50), Request(8, 100)
    assert kept(courtesy, usage, waiting(ANN, big), at=0, cores=4).reserved is None
    found = kept(courtesy, usage, waiting(ANN, big), at=PATIENCE_S, cores=4)
    assert (found.reserved, found.reserved_by) == (big, ANN)
    assert (
        kept(courtesy, usage, waiting(ANN, big, "2"), at=PATIENCE_S + 1, cores=4).reserved is None
    )
    never = Request(80, 100)
    kept(courtesy, usage, waiting(EVE, never), at=0)
    assert kept(courtesy, usage, waiting(EVE, never), at=PATIENCE_S).reserved is None


# --- who has had how much -------------------------------------------------------------------------


def test_half_is_forgotten_in_four_hours() -> None:
    usage = Usage()
    usage.add({ANN: 0.5}, 0)
    usage.add({ANN: 0.5}, 100)
    assert usage.of(ANN, US) == pytest.approx(50)
    usage.add({}, 100 + HALF_LIFE_S)
    assert usage.of(ANN, US) == pytest.approx(25)


def test_a_suspended_machine_counts_for_nobody() -> None:
    usage = Usage()
    usage.add({ANN: 1.0}, 0)
    usage.add({ANN: 1.0}, 3600)
    assert usage.of(ANN, US) == 0
    usage.add({ANN: 1.0}, 100)  # a clock that went back
    assert usage.of(ANN, US) == 0


def test_queues_of_one_user_count_together_beside_another_user() -> None:
    usage = Usage()
    two = {ANN: 0.5, (2, "second"): 0.5, US: 0.7}
    usage.add(two, 0)
    usage.add(two, 100)
    assert usage.has_less(US, than=ANN)
    assert not usage.has_less(ANN, than=(2, "second"))
