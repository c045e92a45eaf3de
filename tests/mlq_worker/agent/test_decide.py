"""What a turn does, and that no turn spins."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq_worker.agent.decide import (
    Adopt,
    ApplyVerdicts,
    CommitAndClaim,
    Exit,
    Facts,
    Mode,
    Renew,
    Reserve,
    Stop,
    decide,
    next_turn_s,
)
from mlq_worker.agent.schedule import Plan

LATER = 110.0
MOVE = Move("7", Event.SUCCEED, 1)
QUIET = Facts(
    now_s=100.0,
    mode=Mode.RUN,
    linked=True,
    link_retry_s=0.0,
    queue_retry_s=0.0,
    renew_due_s=LATER,
    moves=(),
    plan=None,
    peek_due_s=LATER,
    living=(),
    stoppable=(),
)
ONE = (("7", 1),)


def test_a_quiet_worker_waits_until_something_is_due() -> None:
    assert decide(QUIET) == []
    assert next_turn_s(QUIET, 60) == 10
    assert next_turn_s(replace(QUIET, renew_due_s=101), 60) == 1
    assert next_turn_s(QUIET, 5) == 5


def test_the_supervisor_comes_first() -> None:
    lost = replace(QUIET, linked=False, moves=(MOVE,), renew_due_s=0, plan=Plan((("c", 1),)))
    assert decide(lost) == [Adopt()]
    assert decide(replace(lost, link_retry_s=LATER)) == []
    assert decide(replace(lost, queue_retry_s=LATER)) == []


def test_leases_are_renewed_before_anything_is_claimed() -> None:
    due = replace(QUIET, renew_due_s=100, plan=Plan((("c", 2),)), moves=(MOVE,))
    assert decide(due) == [Renew(), CommitAndClaim((MOVE,), (("c", 2),))]


def test_a_queue_that_does_not_answer_is_left_alone() -> None:
    away = replace(
        QUIET, queue_retry_s=101, renew_due_s=0, peek_due_s=0, moves=(MOVE,), plan=Plan((("c", 1),))
    )
    assert decide(away) == []
    assert next_turn_s(away, 60) == 1


def test_what_waits_is_looked_at_when_it_is_due() -> None:
    assert decide(replace(QUIET, peek_due_s=100)) == [CommitAndClaim((), ())]


def test_a_draining_worker_commits_but_takes_nothing_and_leaves_after_the_last_job() -> None:
    drain = replace(QUIET, mode=Mode.DRAIN, plan=Plan((("c", 1),), "9"), peek_due_s=0, living=ONE)
    assert decide(drain) == []
    assert decide(replace(drain, moves=(MOVE,))) == [CommitAndClaim((MOVE,), ())]
    assert decide(replace(drain, living=(), moves=(MOVE,))) == [CommitAndClaim((MOVE,), ())]
    assert decide(replace(drain, living=())) == [Exit()]


def test_now_hands_each_job_back_once() -> None:
    now = replace(QUIET, mode=Mode.RELEASE, living=ONE, stoppable=ONE)
    (stop,) = decide(now)
    assert isinstance(stop, Stop)
    assert (stop.attempts, stop.outcome) == (ONE, "released")
    assert decide(replace(now, stoppable=())) == []
    assert decide(replace(now, living=(), stoppable=())) == [Exit()]


def test_jobs_are_handed_back_even_while_the_queue_is_away() -> None:
    now = replace(QUIET, mode=Mode.RELEASE, living=ONE, stoppable=ONE, queue_retry_s=LATER)
    assert [type(action) for action in decide(now)] == [Stop]


def test_leaving_waits_for_nothing_but_commits_what_it_can() -> None:
    leave = replace(QUIET, mode=Mode.HANDOVER, living=ONE, moves=(MOVE,))
    assert decide(leave) == [CommitAndClaim((MOVE,), ()), Exit()]
    assert decide(replace(leave, queue_retry_s=LATER)) == [Exit()]
    assert decide(replace(leave, linked=False)) == [Exit()]


def test_a_reservation_is_repeated_when_what_waits_is_looked_at_and_not_each_turn() -> None:
    draining = replace(QUIET, plan=Plan((), "9"))
    assert decide(draining) == []
    assert decide(replace(draining, peek_due_s=100)) == [Reserve("9"), CommitAndClaim((), ())]


TIMES = st.floats(0, 200)


@given(
    st.builds(
        Facts,
        now_s=TIMES,
        mode=st.sampled_from(Mode),
        linked=st.booleans(),
        link_retry_s=TIMES,
        queue_retry_s=TIMES,
        renew_due_s=TIMES,
        moves=st.sampled_from([(), (MOVE,)]),
        plan=st.none() | st.builds(Plan, reserve=st.none() | st.just("9")),
        peek_due_s=TIMES,
        living=st.sampled_from([(), ONE]),
        stoppable=st.sampled_from([(), ONE]),
    )
)
def test_a_turn_without_anything_to_do_is_followed_by_a_wait(facts: Facts) -> None:
    if not decide(facts):
        assert next_turn_s(facts, 60) > 0


@given(TIMES, st.sampled_from([Mode.RUN, Mode.DRAIN]), st.none() | st.just("9"))
def test_once_everything_due_is_done_the_worker_waits(
    now_s: float, mode: Mode, reserve: str | None
) -> None:
    """No action may come back by itself: what was renewed, looked at and reserved is done."""
    done = replace(
        QUIET,
        now_s=now_s,
        mode=mode,
        living=ONE,
        renew_due_s=now_s + 10,
        peek_due_s=now_s + 2 if mode is Mode.RUN else 0.0,
        plan=Plan((), reserve),
    )
    assert decide(done) == []
    assert next_turn_s(done, 60) > 0


def test_a_draining_worker_waits_though_a_look_at_what_waits_is_long_due() -> None:
    drain = replace(QUIET, mode=Mode.DRAIN, living=ONE, peek_due_s=0.0)
    assert decide(drain) == []
    assert next_turn_s(drain, 60) == 10


def test_what_nfs_has_shown_is_acted_on_in_the_same_turn() -> None:
    assert decide(replace(QUIET, evidence=True)) == [ApplyVerdicts()]
    assert decide(replace(QUIET, evidence=True, queue_retry_s=LATER)) == []
