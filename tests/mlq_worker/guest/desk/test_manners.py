"""What somebody at the desk means for the jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.desk.desk import DeskState
from mlq_worker.guest.desk.manners import DeskManners, Surroundings, half_of_the_cores
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, GuestAttempt, Pause, Seen
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Share

RULES = GuestRules()
HALF = RULES._replace(desk_action="half")
PAUSE = (Pause("desk", "somebody is at the desk"),)


def job(number: int = 7, cores: int = 1, *gpus: str) -> GuestAttempt:
    share = Share(cores=cores, gpu_uuids=gpus)
    return GuestAttempt(AttemptId(str(number), 1), Target(11, 1), share, 0.0, "/c")


JOB, GPU_JOB = job(), job(8, 1, "GPU-a")


class Place:
    """A machine with a desk; its jobs have saved something unless a test says otherwise."""

    def __init__(self) -> None:
        self.manners = DeskManners("lab07")
        self.touched_at: float | None = None
        self.has_saved, self.needs_memory, self.cores = True, False, 8
        self.displays = {"GPU-a"}

    def at(
        self, boot_s: float, *attempts: GuestAttempt, rules: GuestRules = RULES, touch: bool = False
    ) -> Seen:
        if touch:
            self.touched_at = boot_s
        around = Surroundings(
            self.cores,
            self.needs_memory,
            self.displays.__contains__,
            lambda _: 1.0 if self.has_saved else None,
        )
        desk = DeskState(exists=True, touched_at=self.touched_at)
        return self.manners.judge(attempts or (JOB,), desk, around, rules, boot_s)

    def ended_at(self, attempt: GuestAttempt, rules: GuestRules = RULES) -> int:
        """Hold the desk from second 0 on; return the second in which the attempt must end."""
        for second in range(20_000):
            demand = self.at(second, attempt, rules=rules, touch=True).demands[attempt.id]
            assert demand.pauses == PAUSE
            if demand.end is not None:
                assert demand.end.outcome == "released"
                assert demand.end.reason == "handed back: somebody is at the desk of lab07"
                return second
        raise AssertionError("it never ends")


@pytest.fixture
def place() -> Place:
    return Place()


def test_an_untouched_desk_demands_nothing(place: Place) -> None:
    assert place.at(10_000) == Seen()


def test_jobs_pause_at_once_go_on_later_and_start_later_still(place: Place) -> None:
    seen = place.at(1000, touch=True)
    assert seen == Seen({JOB.id: Demand(PAUSE)}, ("desk in use",), "desk in use")
    assert place.at(1299).demands == {JOB.id: Demand(PAUSE)}
    free = place.at(1300)
    assert (free.demands, free.closed) == ({}, "desk free for 5m, jobs start after 15m")
    assert place.at(1359).notes == free.notes
    assert place.at(1360).closed == "desk free for 6m, jobs start after 15m"
    assert place.at(1899).closed
    assert place.at(1900) == Seen()


@pytest.mark.parametrize(
    ("attempt", "has_saved", "needs_memory", "second"),
    [
        (JOB, True, False, 600),
        (GPU_JOB, True, False, 120),
        (JOB, False, False, 14400),
        (GPU_JOB, False, False, 2880),
        (JOB, False, True, 600),
        (GPU_JOB, False, True, 120),
    ],
)
def test_who_pauses_for_too_long_is_handed_back(
    place: Place, attempt: GuestAttempt, has_saved: bool, needs_memory: bool, second: int
) -> None:
    place.has_saved, place.needs_memory = has_saved, needs_memory
    assert place.ended_at(attempt) == second


def test_the_long_span_is_never_the_shorter_one(place: Place) -> None:
    place.has_saved = False
    assert place.ended_at(JOB, RULES._replace(desk_keep_s=1.0)) == 600


def test_a_pause_counts_from_its_own_beginning(place: Place) -> None:
    place.at(0, touch=True)
    place.at(200, touch=True)
    place.at(500)  # goes on
    place.at(700, touch=True)
    assert place.at(700 + 299).demands[JOB.id].end is None
    later = job(9)
    for second in range(1000, 1300):
        place.at(second, JOB, touch=True)
    seen = place.at(1300, JOB, later, touch=True)
    assert seen.demands[JOB.id].end is not None
    assert seen.demands[later.id].end is None


def test_what_ends_is_left_alone(place: Place) -> None:
    assert not place.at(5, JOB._replace(is_ending=True), touch=True).demands


def test_half_pauses_what_the_display_shares(place: Place) -> None:
    other, dark = job(9, 8), job(10, 2, "GPU-b")
    seen = place.at(5, GPU_JOB, other, dark, rules=HALF, touch=True)
    assert seen.demands == {
        GPU_JOB.id: Demand(PAUSE),
        other.id: Demand(cores=3),
        dark.id: Demand(cores=1),
    }
    assert seen.closed == "desk in use"
    assert place.at(400, GPU_JOB, other, dark, rules=HALF).demands == {}


def test_half_hands_back_only_what_pauses(place: Place) -> None:
    other = job(9, 8)
    for second in range(1000):
        seen = place.at(second, GPU_JOB, other, rules=HALF, touch=True)
        assert seen.demands[other.id] == Demand(cores=4)
        assert (seen.demands[GPU_JOB.id].end is not None) == (second >= 120)


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 256))
def test_half_of_the_cores(asked: list[int], cores: int) -> None:
    attempts = [job(number, count) for number, count in enumerate(asked)]
    given_cores = half_of_the_cores(attempts, cores)
    now = [given_cores.get(one.id, max(1, one.share.cores)) for one in attempts]
    assert all(1 <= n <= max(1, one.share.cores) for n, one in zip(now, attempts, strict=True))
    assert sum(now) <= max(cores // 2, len(attempts), 1)
    if given_cores:
        assert sum(now) >= min(cores // 2, sum(asked))
    assert all(n < attempts[int(one.job_id)].share.cores for one, n in given_cores.items())


gaps = st.lists(st.tuples(st.floats(0.5, 3000), st.booleans()), max_size=60)


@given(gaps, st.booleans(), st.sampled_from([RULES, HALF]))
def test_any_hands(steps: list[tuple[float, bool]], has_saved: bool, rules: GuestRules) -> None:
    """Jobs pause exactly while the desk was touched lately."""
    place, boot_s, paused_since = Place(), 0.0, None
    place.has_saved = has_saved
    for gap_s, touch in steps:
        boot_s += gap_s
        seen = place.at(boot_s, GPU_JOB, rules=rules, touch=touch)
        untouched_s = float("inf") if place.touched_at is None else boot_s - place.touched_at
        demand = seen.demands.get(GPU_JOB.id)
        assert (demand is not None) == (untouched_s < rules.desk_resume_s)
        assert bool(seen.closed) == (untouched_s < rules.desk_idle_s)
        if demand is None:
            paused_since = None
            continue
        paused_since = boot_s if paused_since is None else paused_since
        limit_s = (rules.desk_evict_s if has_saved else rules.desk_keep_s) / 5
        assert (demand.end is not None) == (boot_s - paused_since >= limit_s)
