"""The dead-man's clock against a reaper that gives its verdict at the first moment it may."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlq_worker.liveness.fence import (
    Contact,
    LivenessTimings,
    beaten,
    confirmed,
    may_run,
    run_until,
)

SPANS = LivenessTimings(10, 45, 60, 90)


@pytest.mark.parametrize("wrong", [(0, 1, 2, 3), (10, 10, 60, 90), (10, 60, 45, 90), (1, 2, 3, 3)])
def test_spans_must_rise(wrong: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="beat_s < lease_s"):
        LivenessTimings(*wrong)


def test_both_silent_since_the_same_moment_means_a_pause_after_fence_s() -> None:
    contact = Contact(redis_at=100, beat_at=100)
    assert may_run(contact, 160, SPANS)
    assert not may_run(contact, 160.1, SPANS)


def test_either_channel_alone_keeps_it_running() -> None:
    assert may_run(Contact(redis_at=1000, beat_at=0), 1030, SPANS)
    assert may_run(Contact(redis_at=0, beat_at=1000), 1050, SPANS)


def test_with_nfs_long_silent_the_pause_comes_before_the_lease_ends() -> None:
    assert run_until(Contact(redis_at=1000, beat_at=0), SPANS) == 1040  # the lease: 1045


def test_an_order_counts_as_contact() -> None:
    assert may_run(Contact(redis_at=1000), 1000, SPANS)


def test_an_old_confirmation_does_not_undo_a_newer_one() -> None:
    assert confirmed(Contact(redis_at=100), 50) == Contact(redis_at=100)


@pytest.mark.parametrize(("ended_at", "counts"), [(179, True), (180, False), (500, False)])
def test_a_beat_counts_after_a_silence_too_short_for_a_verdict(
    ended_at: float, counts: bool
) -> None:
    contact = beaten(Contact(redis_at=100, beat_at=100), ended_at - 1, ended_at, SPANS)
    assert may_run(contact, ended_at, SPANS) is counts


def test_after_a_long_silence_beats_count_again_once_redis_has_confirmed() -> None:
    contact = Contact(redis_at=0, beat_at=0)
    contact = beaten(contact, 200, 201, SPANS)
    assert not may_run(contact, 201, SPANS)
    contact = confirmed(contact, 205)
    assert may_run(contact, 206, SPANS)
    contact = beaten(contact, 210, 211, SPANS)
    assert may_run(contact, 269, SPANS)


def test_a_beat_that_hung_through_a_freeze_does_not_count() -> None:
    contact = Contact(redis_at=100, beat_at=100)
    assert beaten(contact, began_at=110, ended_at=4000, timings=SPANS) == contact


@st.composite
def histories(draw: st.DrawFn) -> tuple[LivenessTimings, list[tuple[str, float, float, float]]]:
    """Spans, and contacts as (channel, began, took effect, known to the supervisor).

    Small whole numbers, so that things often happen at the very edge of a span.
    """
    timings = draw(
        st.sampled_from(
            [LivenessTimings(1, 3, 4, 6), LivenessTimings(1, 2, 5, 7), LivenessTimings(2, 5, 6, 12)]
        )
    )
    delays = st.just(0) | st.integers(0, int(timings.dead_s))
    events, clock = [], 0
    for channel in draw(st.lists(st.sampled_from(["redis", "beat"]), min_size=1, max_size=12)):
        began = clock + draw(delays)
        effect = began + draw(delays)
        known = effect + draw(delays)
        clock = known if channel == "beat" else began  # beats follow one another, renewals may not
        events.append((channel, began, effect, known))
    return timings, events


@settings(max_examples=1000, deadline=None)
@given(histories())
def test_while_it_may_run_no_reaper_can_have_declared_it_dead(
    history: tuple[LivenessTimings, list[tuple[str, float, float, float]]],
) -> None:
    """The reaper: lease expired, and beat unchanged for dead_s, each from when it took effect."""
    timings, events = history
    dead_at = first_verdict(timings, events)
    contact = Contact(redis_at=0, beat_at=float("-inf"))
    running_until = run_until(contact, timings)
    for channel, began, effect, known in sorted(events, key=lambda event: event[3]):
        assert min(running_until, known) < dead_at  # until then it ran, and rightly so
        if channel == "beat":
            contact = beaten(contact, began, known, timings)
        elif effect < dead_at:  # else Redis would have said that it is lost
            contact = confirmed(contact, began)
        running_until = run_until(contact, timings)
        assert not may_run(contact, known, timings) or known < dead_at
    assert running_until < dead_at


def first_verdict(timings: LivenessTimings, events: list[tuple[str, float, float, float]]) -> float:
    """When the reaper can first say that the attempt, leased at 0, is dead; nothing undoes it."""
    lease_until, unchanged_since = timings.lease_s, float("-inf")
    for channel, _, effect, _ in sorted(events, key=lambda event: event[2]):
        verdict_at = max(lease_until, unchanged_since + timings.dead_s)
        if verdict_at <= effect:
            return verdict_at
        if channel == "redis":
            lease_until = max(lease_until, effect + timings.lease_s)
        else:
            unchanged_since = effect
    return max(lease_until, unchanged_since + timings.dead_s)
