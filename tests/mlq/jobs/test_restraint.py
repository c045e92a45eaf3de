"""How a running job is held back: written by the worker, read by people."""

from __future__ import annotations

import pytest

from mlq.jobs.restraint import FREE, Restraint, parse_restraint

DESK = Restraint(("desk", "fence"), "somebody is at the desk of lab07")


@pytest.mark.parametrize("held_back", [FREE, DESK, Restraint(cores_now=2)])
def test_what_the_worker_writes_is_read(held_back: Restraint) -> None:
    assert parse_restraint(held_back.text) == held_back


@pytest.mark.parametrize(
    ("held_back", "words"),
    [
        (FREE, ""),
        (DESK, "paused: somebody is at the desk of lab07"),
        (Restraint(("off",), "off by ab12 until 22:00"), "paused: off by ab12 until 22:00"),
        (Restraint(("hours",)), "paused: hours"),
        (Restraint(cores_now=2), "squeezed to 2 of 4 cores"),
        (DESK._replace(cores_now=2), "paused: somebody is at the desk of lab07"),
    ],
)
def test_words(held_back: Restraint, words: str) -> None:
    assert held_back.in_words(4) == words


@pytest.mark.parametrize(
    "text", ["{", "[]", "[1,2,3]", '[["desk"]]', '{"paused_by":1}', "[" * 9999]
)
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert parse_restraint(text) == FREE


def test_a_number_that_is_none_says_nothing() -> None:
    assert parse_restraint('[["desk", 7], "x", "y"]') == Restraint(("desk",), "x", 0)
