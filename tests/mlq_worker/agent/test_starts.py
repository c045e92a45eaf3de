"""Who is to blame for bad starts: the command, or this machine."""

from __future__ import annotations

import pytest

from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.probation import FIRST_S, LONGEST_S, Probation
from mlq_worker.agent.schedule import Plan
from mlq_worker.agent.starts import (
    OwnStart,
    Seen,
    Start,
    command_fails,
    how_it_started,
    machine_fails,
)
from mlq_worker.ipc.causes import Cause, Kind

BOTH = ("lab01", "lab02")


def result(outcome: str, code: int | None, lasted_s: int = 1, kind: str = "") -> AttemptResult:
    began, ended = (f"2026-11-26T18:00:{second:02}.000000Z" for second in (0, lasted_s))
    cause = Cause(Kind(kind))
    return AttemptResult("7", 1, "lab01", outcome, code, "why", began, ended, cause=cause)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (result("exited", 0), "good"),
        (result("exited", 1), "bad"),
        (result("exited", 1, 30), "good"),
        (result("signaled", None), "bad"),
        (result("unstartable", 126), "bad"),
        (result("unstartable", 127, kind="folder"), ""),
        (result("storage", None, kind="job folder"), ""),
        *((result(one, None), "") for one in ("canceled", "released", "lost", "timeout")),
    ],
)
def test_how_an_attempt_started(end: AttemptResult, how: str) -> None:
    assert how_it_started(end) == how


def starts(text: str) -> list[Start]:
    """Return starts, the newest first: `1a` is a bad one of job 1 on lab01, `B` a good on lab02."""
    found = []
    for word in text.split():
        machine = {"a": "lab01", "b": "lab02"}[word[-1].lower()]
        found.append(
            Start.parse(f"{machine} {'good' if word[-1].isupper() else 'bad'} {word[:-1]}")
        )
    return found


@pytest.mark.parametrize(
    ("told", "living", "held"),
    [
        ("3a 2b 1a", BOTH, True),
        ("2b 1a", BOTH, False),
        ("1a 1b 1a 1b", BOTH, False),  # one job, tried again and again
        ("3a 2a 1a", BOTH, False),  # it may be the machine
        ("3a 2a 1a", ("lab01",), True),
        ("5a 4a 3a 2a 1a", BOTH, True),  # nobody else has come to try it
        ("6a 5a 4a 3a 2a 1B", BOTH, False),  # it is the machine
        ("4a 3a 2b 1B", BOTH, False),  # it may be the parameters
        ("6a 5b 4a 3a 2b 1B", BOTH, True),
        ("4B 3a 2b 1a", BOTH, False),
        ("", BOTH, False),
    ],
)
def test_when_a_command_is_held(told: str, living: tuple[str, ...], held: bool) -> None:
    assert bool(command_fails(starts(told), living)) is held


def test_a_command_that_runs_elsewhere_is_not_held_for_one_machine() -> None:
    row = starts("5a 4a 3a 2a 1a")
    assert command_fails(row, BOTH, ["lab01"])
    assert not command_fails(row, BOTH, ["lab01", "lab02"])
    assert command_fails(starts("4a 3b 2a 1a"), BOTH, BOTH)


def row(*words: str) -> list[OwnStart]:
    return [OwnStart(str(number), word, "exit 1") for number, word in enumerate(words)]


@pytest.mark.parametrize(
    ("own", "seen", "aside"),
    [
        (row("s1", "s2", "s3"), Seen({}, {"lab02": True}, BOTH), True),
        (row("s1", "s2"), Seen({}, {"lab02": True}, BOTH), False),
        (row("s1", "s2", "s3"), Seen({}, {"lab02": False}, BOTH), False),
        (row("s1", "s2", "s3"), Seen({}, {"lab02": True}, ("lab01",)), False),
        (row("s1", "s1", "s1"), Seen({"s1": starts("3a 2a 1a 0B")}, {"lab02": True}, BOTH), True),
        # It fails elsewhere, too: no fault of the machine.
        (row("s1", "s1", "s1"), Seen({"s1": starts("4b 3a 2a 1a")}, {"lab02": True}, BOTH), False),
        ([OwnStart("1", "s1", "")] * 5, Seen({}, {"lab02": True}, BOTH), False),
        # Members of one sweep, and others of them run elsewhere.
        (row("s1", "s1", "s1"), Seen({}, {}, BOTH, {"s1": ["lab01", "lab02"]}), True),
        (row("s1", "s1", "s1"), Seen({}, {}, BOTH, {"s1": ["lab01"], "s2": ["lab02"]}), False),
    ],
)
def test_when_a_machine_is_set_aside(own: list[OwnStart], seen: Seen, aside: bool) -> None:
    assert machine_fails(own, "lab01", seen) is aside


def test_a_machine_on_probation_tries_one_job_at_a_time_and_ever_later() -> None:
    plan = Plan((("p0", 4), ("p1", 2)), "9")
    probation = Probation()
    assert probation.allowed(plan, 3, 0.0) is plan
    probation.begin("jobs fail", 0.0)
    assert probation.allowed(plan, 0, FIRST_S - 1) is None
    assert probation.allowed(plan, 1, FIRST_S) is None
    assert probation.allowed(plan, 0, FIRST_S) == Plan((("p0", 1),))
    probation.begin("one that ran before", 1.0)
    assert probation.until_s == FIRST_S
    for tries in range(20):
        at_s = probation.until_s
        probation.begin("jobs fail", at_s)
        assert probation.until_s - at_s == min(LONGEST_S, FIRST_S * 2 ** (tries + 1))
    probation.end()
    assert (probation.note(), probation.allowed(plan, 3, 0.0)) == ("", plan)


@pytest.mark.parametrize("told", [None, {}, "aside", {"reason": ""}, {"reason": 7}])
def test_a_record_that_tells_of_no_probation_begins_none(told: object) -> None:
    probation = Probation()
    probation.restore(told, 0.0)
    assert probation.note() == ""


def test_a_new_worker_goes_on_with_the_probation_of_the_one_before() -> None:
    before, after = Probation(), Probation()
    before.begin("jobs fail", 0.0)
    after.restore(before.as_json(), 100.0)
    assert after.note() == before.note() == "set aside: jobs fail; it tries one job every 1m"
    assert after.until_s == 100.0 + FIRST_S
