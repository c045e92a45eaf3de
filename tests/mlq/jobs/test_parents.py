"""Which conditions typed parents have, and what the ends of parents mean."""

from __future__ import annotations

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs.parents import Condition, Meant, Parents, Verdict, of_all, split


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("1042", ("finished", "1042")),
        ("ok:1042", ("finished", "1042")),
        ("any:lr-*", ("ended", "lr-*")),
        ("failed:1042_7", ("failed", "1042_7")),
        ("lr:0.1", ("finished", "lr:0.1")),
        ("ok:any:x", ("finished", "any:x")),
    ],
)
def test_a_word_may_begin_with_a_condition(typed: str, expected: tuple[str, str]) -> None:
    assert split(typed, "finished") == expected


def meant(*words: tuple[Condition, str]) -> Parents:
    return of_all(
        Meant(condition, (f"{one}_0", f"{one}_1") if one == "9" else (one,), one * (one == "9"))
        for condition, one in words
    )


def test_only_what_differs_is_named() -> None:
    assert meant(("finished", "1"), ("finished", "9")) == Parents(("1", "9_0", "9_1"))
    assert meant(("ended", "1"), ("ended", "9")) == Parents(("1", "9_0", "9_1"), any_end=True)
    assert meant(("ended", "1"), ("failed", "9")) == Parents(
        ("1", "9_0", "9_1"), conditions={"1": "ended", "9": "failed"}
    )


def test_of_two_conditions_the_narrower_one_holds() -> None:
    assert meant(("ended", "1"), ("failed", "1")).condition("1") == "failed"
    assert meant(("finished", "1"), ("ended", "1"), ("ended", "2")).condition("1") == "finished"
    both = meant(("ended", "9"), ("finished", "9_1"))
    assert [both.condition(one) for one in both.ids] == ["ended", "finished"]
    with pytest.raises(InvalidInputError, match="a job after 1 would never run"):
        meant(("finished", "1"), ("failed", "1"))
    with pytest.raises(InvalidInputError, match="a job after 9_1 would never run"):
        meant(("failed", "9"), ("finished", "9_1"))


SWEEP = Parents(("9_0", "9_1"), conditions={"9": "failed"})
MIXED = Parents(("1", "2", "3"), conditions={"2": "ended", "3": "failed"})


@pytest.mark.parametrize(
    ("parents", "states", "expected"),
    [
        (MIXED, {"1": "finished", "2": "failed", "3": "canceled"}, Verdict()),
        (MIXED, {"1": "started", "2": "queued", "3": "failed"}, Verdict(("1", "2"))),
        (MIXED, {"1": "failed", "2": "queued", "3": ""}, Verdict((), "1", "parent 1 failed")),
        (
            MIXED,
            {"1": "finished", "2": "", "3": "finished"},
            Verdict((), "3", "parent 3 finished, and was to fail"),
        ),
        (MIXED, {"1": "", "2": "", "3": "failed"}, Verdict((), "1", "parent 1 is lost")),
        (MIXED, {"8": "failed"}, Verdict()),  # it waited for an earlier job of its name
        (SWEEP, {"9_0": "failed", "9_1": "started"}, Verdict(("9_1",))),
        (SWEEP, {"9_0": "finished", "9_1": "started"}, Verdict(("9_1",))),
        (SWEEP, {"9_0": "finished", "9_1": "failed"}, Verdict()),
        (
            SWEEP,
            {"9_0": "finished", "9_1": "finished"},
            Verdict((), "9_1", "parent 9 finished, and was to fail"),
        ),
    ],
)
def test_what_ends_of_parents_mean(
    parents: Parents, states: dict[str, str], expected: Verdict
) -> None:
    assert parents.verdict(list(states), lambda one: states.get(one, "")) == expected
