"""What a search does next, from how its members stand."""

from __future__ import annotations

from typing import Any

import pytest

from mlq.metrics.extent import Extent
from mlq.search.decide import (
    SETTLE_S,
    Aim,
    SearchError,
    Seen,
    decide,
    progress_line,
    standing,
)
from mlq.search.goal import Goal
from mlq.search.history import Member, Outcome
from mlq.search.pruning import Measured, Run

GOAL = Goal("loss", True)
AIM = Aim(GOAL, trials=6, max_running=3)
NOW_S = 1000.0


def extent(value: float) -> dict[str, Extent]:
    return {"loss": Extent(value, 3, value, 3, value, 3)}


def member(index: int, state: str, value: float | None = None, **more: Any) -> Member:
    metrics = {} if value is None else extent(value)
    ended_s = None if state in ("started", "queued") else NOW_S - 100
    given = {"params": {"lr": str(index)}, "metrics": metrics, "ended_s": ended_s, **more}
    return Member(f"7_{index}", index, state, **given)


def seen(*members: Member, **more: Any) -> Seen:
    return Seen(members, **{"there": len(members), "free": len(members), **more})


def test_one_starts_whenever_one_ends() -> None:
    assert decide(seen(), AIM, NOW_S).start == 3
    three = [member(0, "started"), member(1, "started"), member(2, "queued")]
    assert decide(seen(*three), AIM, NOW_S).start == 0
    three[0] = member(0, "finished", 1.0)
    assert decide(seen(*three), AIM, NOW_S).start == 1


def test_there_are_never_more_than_asked_for() -> None:
    members = [member(n, "finished", 1.0) for n in range(5)]
    assert decide(seen(*members), AIM, NOW_S).start == 1
    assert decide(seen(*members, there=6), AIM, NOW_S)[1:3] == (0, True)
    members.append(member(5, "started"))
    assert decide(seen(*members), AIM, NOW_S)[1:3] == (0, False)
    assert decide(seen(*members), AIM._replace(trials=100), NOW_S).start == 2


def test_ends_are_what_they_mean_to_a_sampler() -> None:
    members = [
        member(0, "finished", 1.0),
        member(1, "finished", float("nan")),
        member(2, "failed", 0.1, reason="exit 1"),
        member(3, "canceled", 0.2, reason="canceled"),
        member(4, "canceled", 0.3, reason="pruned at step 3: 0.3, median 0.2"),
        member(5, "queued", reason="lost: silent"),
    ]
    trials = decide(seen(*members), AIM, NOW_S).trials
    assert [one.outcome.name for one in trials] == [
        "COMPLETE", "FAIL", "FAIL", "FAIL", "PRUNED", "RUNNING",
    ]  # fmt: skip
    assert [one.value for one in trials] == [1.0] + [None] * 5
    assert (trials[4].step, trials[4].at_step) == (3, 0.3)


def test_the_first_member_without_the_objective_ends_the_search() -> None:
    other = {"acc": extent(1.0)["loss"], "time": extent(1.0)["loss"]}
    members = [member(0, "started"), member(1, "finished", metrics=other)]
    with pytest.raises(SearchError, match="member 7_1 finished and reported acc, time"):
        decide(seen(*members), AIM, NOW_S)
    with pytest.raises(SearchError, match="reported no metric at all"):
        decide(seen(member(0, "finished")), AIM, NOW_S)
    # Another one reports it: then it is the member that is odd.
    members[0] = member(0, "started", 2.0)
    assert decide(seen(*members), AIM, NOW_S).trials[1].outcome is Outcome.FAIL


def test_the_last_metrics_of_a_member_have_time_to_come() -> None:
    late = member(0, "finished", ended_s=NOW_S - SETTLE_S + 1)
    decision = decide(seen(late), AIM, NOW_S)
    assert (decision.trials[0].outcome, decision.start) == (Outcome.RUNNING, 2)
    with pytest.raises(SearchError):
        decide(seen(late), AIM, NOW_S + 1)


def test_a_search_that_is_held_starts_nothing_and_one_whose_members_fail_ends() -> None:
    assert decide(seen(member(0, "finished", 1.0), held="by hand"), AIM, NOW_S).start == 0
    with pytest.raises(SearchError, match="the first 5 to end were failures"):
        decide(seen(held="the first 5 to end were failures", failing=True), AIM, NOW_S)


def test_only_members_that_run_and_are_not_being_stopped_are_pruned() -> None:
    aim = AIM._replace(pruner="median")
    done = [member(n, "finished", 1.0) for n in range(5)]
    running = [member(5, "started"), member(6, "started", stopping="canceled"), member(7, "queued")]
    curves = {
        one.number: Run(one.number, Outcome.RUNNING, (Measured(1, 1.0 + one.number, 5.0),))
        for one in [*done, *running]
    }
    stop = decide(seen(*done, *running), aim, NOW_S, curves).stop
    assert stop == {"7_5": "pruned at step 1: 6, median 3"}


def test_how_far_it_is_in_one_line() -> None:
    members = [
        member(0, "finished", 1.0),
        member(1, "finished", 0.25),
        member(2, "canceled", reason="pruned at step 3: 2, median 1"),
        member(3, "started"),
        member(4, "queued"),
    ]
    found = seen(*members)
    now = standing(found, decide(found, AIM, NOW_S), AIM)
    assert progress_line(7, "tune", now, GOAL) == (
        "search 7 tune: 5 of 6: 2 finished, 1 running, 1 waiting, 1 pruned;"
        " best loss 0.25 (7_1: lr=1)"
    )
    held = seen(member(0, "deferred", held="held: no such program", ended_s=None))
    now = standing(held, decide(held, AIM, NOW_S), AIM)
    assert progress_line(7, "tune", now, GOAL) == (
        "search 7 tune: 1 of 6: 1 waiting; held: held: no such program"
    )
