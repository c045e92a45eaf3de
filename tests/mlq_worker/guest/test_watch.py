"""What several watches demand together, also when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Pause, Seen, Together
from mlq_worker.ipc.clock import Moment

JOB = AttemptId("7", 1)
DESK, OFF = Pause("desk", "somebody is at the desk"), Pause("off", "off by ab12")


class Says:
    """A watch that always answers the same, or fails."""

    def __init__(self, seen: Seen | None) -> None:
        self._seen = seen

    def look(self, _attempts: Sequence[GuestAttempt], _rules: GuestRules, _now: Moment) -> Seen:
        if self._seen is None:
            raise ZeroDivisionError
        return self._seen


def look(*answers: Seen | None, times: int = 1) -> tuple[Seen, list[str]]:
    notes: list[str] = []
    both = Together([Says(one) for one in answers], notes.append)
    for _ in range(times - 1):
        both.look([], GuestRules(), Moment(0.0, ""))
    return both.look([], GuestRules(), Moment(0.0, "")), notes


def test_all_reasons_the_fewest_cores_and_the_first_end() -> None:
    first, second = End("released", "first"), End("overstepped", "second")
    seen, _ = look(
        Seen({JOB: Demand((DESK,), 3)}, ("desk in use",), "desk in use", {"desk": {"a": 1}}),
        Seen({JOB: Demand((OFF,), 2, first)}, ("desk in use", "off by ab12"), "off by ab12"),
        Seen({JOB: Demand(end=second)}, facts={"board": {"b": 2}}),
    )
    assert seen.demands == {JOB: Demand((DESK, OFF), 2, first)}
    assert seen.notes == ("desk in use", "off by ab12")
    assert seen.closed == "desk in use"
    assert seen.facts == {"desk": {"a": 1}, "board": {"b": 2}}


def test_one_that_fails_does_not_blind_the_others() -> None:
    off = Seen({JOB: Demand((OFF,))}, closed="off by ab12")
    seen, notes = look(None, off, times=100)
    assert (seen.demands, seen.closed) == (off.demands, off.closed)
    (said,) = notes
    assert said.startswith("Says failed, and holds nothing back: ")
    assert "ZeroDivisionError" in said
