"""Refused moves: each waits by itself, longer each time, and is named until it is settled."""

from __future__ import annotations

from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.replies import Refusal
from mlq_worker.agent.backoff import Backoff, RefusedMoves

BAD, GOOD = Move("7", Event.FAIL, 2), Move("8", Event.SUCCEED, 1)


def test_what_is_refused_is_sent_again_ever_less_and_holds_up_no_other() -> None:
    now_s = 0.0
    aside = RefusedMoves(10.0)
    sent_s = []
    while now_s < 2000:
        due = aside.due([BAD, GOOD], now_s)
        assert GOOD in due
        refused = [Refusal("7", 2, "WRONGTYPE")] if BAD in due else []
        sent_s += [now_s for _ in refused]
        aside.sent(due, refused, now_s)
        assert aside.words(now_s) == "the queue refuses what became of 7.2 (WRONGTYPE)"
        now_s += 1
    assert sent_s == [0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510, 1810]
    now_s += 300
    aside.sent([BAD], [], now_s)
    assert aside.words(now_s) == ""
    assert aside.due([BAD], now_s) == [BAD]


def test_what_was_settled_elsewhere_is_named_no_longer() -> None:
    now_s = 0.0
    aside = RefusedMoves(10.0)
    aside.sent([], [Refusal(str(number), 1, "no") for number in range(1, 6)], now_s)
    assert aside.words(now_s).endswith("1.1 (no), 2.1 (no), 3.1 (no) and 2 more")
    now_s = 1000.0
    assert aside.words(now_s) == ""


def test_a_pause_is_forgotten_with_its_thing() -> None:
    pauses: Backoff[str] = Backoff(1.0, 4.0)
    assert [pauses.failed("x", at) for at in (0.0, 5.0, 9.0)] == [0.0, 5.0, 9.0]
    assert (pauses.is_due("x", 12.9), pauses.is_due("x", 13.0), pauses.is_due("y", 0)) == (
        False,
        True,
        True,
    )
    pauses.keep(["y"])
    assert pauses.is_due("x", 0.0)
