"""What an attempt's end makes of its job."""

import base64
import zlib
from dataclasses import replace
from typing import Any

import pytest

from mlq.jobs.lifecycle import Event, target
from mlq.store.operations import Move
from mlq_worker.agent.attempt_result import AttemptResult, parse_result
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.outcomes import ending, loss, refusal

AT = "2026-11-23T22:15:01.123456Z"
PATIENCE = Patience(max_losses=5, retry_pause_s=5)


def result(outcome: str = "exited", exit_code: int | None = None, **changes: Any) -> AttemptResult:
    value = changes.pop("value", None)
    raw = {
        "id": "7",
        "attempt": 2,
        "machine": "lab01",
        "outcome": outcome,
        "exit_code": exit_code,
        "signal": None,
        "reason": changes.pop("reason", ""),
        "started_at": AT,
        "ended_at": AT,
        **changes,
    }
    return replace(parse_result(raw), value=value)


def entry(move: Move) -> dict[str, Any]:
    return dict(zip(move.result[::2], move.result[1::2], strict=True))


def test_exit_0_finishes_the_job() -> None:
    move = ending(result(exit_code=0), History(), PATIENCE)
    assert (move.id, move.attempt, move.event) == ("7", 2, Event.SUCCEED)
    assert move.fields["mlq_exit_code"] == 0
    assert move.fields["mlq_reason"] == ""
    assert move.fields["ended_at"] == AT
    assert entry(move) == {"type": 1, "worker_name": "lab01", "execution_id": "2"}


def test_who_failed_tells_the_last_line_of_its_log() -> None:
    line = "RuntimeError: CUDA out of memory"
    failed = result(exit_code=1, reason="exit 1", last_line=line)
    assert ending(failed, History(), PATIENCE).fields["mlq_reason"] == f"exit 1: {line}"
    again = ending(failed, History(retries=1), PATIENCE).fields["mlq_reason"]
    assert again == f"exit 1: {line}; retry 1 of 1 in 5s"
    late = result("timeout", reason="timeout after 2h", last_line="\x1b[31mepoch\n" + "9" * 500)
    reason = str(ending(late, History(), PATIENCE).fields["mlq_reason"])
    assert reason.startswith("timeout after 2h:  [31mepoch 999")
    assert len(reason) < 230
    assert result(exit_code=0, last_line="all is well").why == ""
    assert result(exit_code=1, last_line=["none"]).last_line == ""


def test_what_a_function_returned_is_kept() -> None:
    move = ending(result(exit_code=0, value="[1, 2]"), History(), PATIENCE)
    assert move.fields["result"] == "[1, 2]"
    assert base64.b64decode(entry(move)["return_value"]) == b"[1, 2]"


@pytest.mark.parametrize(
    ("outcome", "exit_code", "event"),
    [
        ("exited", 1, Event.FAIL),
        ("signaled", None, Event.FAIL),
        ("unstartable", 127, Event.FAIL),
        ("timeout", None, Event.TIME_OUT),
        ("canceled", None, Event.CANCEL),
        ("released", None, Event.RELEASE),
        ("storage", None, Event.RELEASE),
    ],
)
def test_each_outcome_is_one_event_and_keeps_its_reason(
    outcome: str, exit_code: int | None, event: Event
) -> None:
    move = ending(result(outcome, exit_code, reason="why"), History(), PATIENCE)
    assert (move.event, move.fields["mlq_reason"]) == (event, "why")
    assert ("ended_at" in move.fields) == (target(event) != "queued")
    assert zlib.decompress(base64.b64decode(entry(move)["exc_string"])) == b"why"


def asked(asked_s: float, **changes: Any) -> AttemptResult:
    return result("released", reason="queued again", asked_s=asked_s, **changes)


def test_an_attempt_that_asks_is_queued_again_and_nothing_is_counted() -> None:
    move = ending(asked(60, exit_code=3), History(retries=1, soon_asked=4), PATIENCE)
    assert (move.event, move.avoid, move.start) == (Event.RELEASE, "", "")
    assert not {"mlq_failures", "mlq_soon_asked"} & move.fields.keys()
    assert {"mlq_soon_asked", "mlq_wish"} <= set(move.clear)


def test_five_in_a_row_that_ask_at_once_fail_the_job() -> None:
    history = History(retries=9)
    for times in range(1, 5):
        move = ending(asked(9.9), history, PATIENCE)
        assert (move.event, move.fields["mlq_soon_asked"]) == (Event.RELEASE, times)
        history = replace(history, soon_asked=times)
    move = ending(asked(9.9), history, PATIENCE)
    assert move.event is Event.FAIL
    assert move.fields["mlq_reason"] == (
        "5 attempts in a row asked to be queued again within 10s of their start"
    )


LATER = AT.replace("15:01", "15:12")


@pytest.mark.parametrize(
    ("end", "is_kept"),
    [
        (asked(10), False),
        (result(exit_code=1), False),  # it did not ask
        (result("released"), True),  # handed back soon: says nothing
        (result("released", ended_at=LATER), False),
        (result("storage", started_at=None), True),
    ],
)
def test_what_ends_a_row_of_attempts_that_ask(end: AttemptResult, is_kept: bool) -> None:
    move = ending(end, History(retries=1, soon_asked=3), PATIENCE)
    assert ("mlq_soon_asked" not in move.clear) is is_kept


@pytest.mark.parametrize("end", [result(exit_code=0), result(exit_code=3), result("timeout")])
def test_what_its_user_wants_queued_again_is_whatever_its_end(end: AttemptResult) -> None:
    history = History(retries=1, wish="queued again by its user")
    move = ending(end, history, PATIENCE)
    assert (move.event, move.avoid) == (Event.RELEASE, "")
    assert move.fields["mlq_reason"] == "queued again by its user"
    assert "mlq_failures" not in move.fields
    canceled = replace(history, stop="canceled")
    assert ending(asked(1), canceled, PATIENCE).event is Event.CANCEL


@pytest.mark.parametrize(
    ("failures", "event"), [(0, Event.RETRY), (1, Event.RETRY), (2, Event.FAIL)]
)
def test_a_failure_is_retried_as_often_as_its_user_asked(failures: int, event: Event) -> None:
    move = ending(
        result(exit_code=3, reason="exit 3"), History(retries=2, failures=failures), PATIENCE
    )
    assert move.event is event
    assert move.fields["mlq_failures"] == failures + 1
    if event is Event.RETRY:
        pause_s = (5, 15)[failures]
        assert move.fields["mlq_reason"] == f"exit 3; retry {failures + 1} of 2 in {pause_s}s"
        assert (move.pause_s, move.avoid) == (pause_s, "lab01")
        assert "mlq_progress" in move.clear


@pytest.mark.parametrize("outcome", ["released", "storage", "canceled", "timeout"])
def test_what_is_no_failure_of_the_job_uses_up_no_retry(outcome: str) -> None:
    move = ending(result(outcome), History(retries=1), PATIENCE)
    assert move.event is not Event.RETRY
    assert "mlq_failures" not in move.fields


@pytest.mark.parametrize("outcome", ["signaled", "released", "storage", "canceled", "unstartable"])
def test_what_its_user_wants_to_end_has_been_canceled(outcome: str) -> None:
    move = ending(result(outcome, reason="SIGTERM"), History(retries=3, stop="canceled"), PATIENCE)
    assert (move.event, move.fields["mlq_reason"]) == (Event.CANCEL, "canceled")


def test_a_job_that_ended_by_itself_before_it_was_stopped_has_ended_so() -> None:
    wish = History(stop="canceled")
    assert ending(result(exit_code=0), wish, PATIENCE).event is Event.SUCCEED
    assert ending(result(exit_code=1), wish, PATIENCE).event is Event.FAIL


def test_a_job_its_user_wants_to_end_is_not_retried() -> None:
    move = ending(
        result(exit_code=1, reason="exit 1"), History(retries=3, stop="canceled"), PATIENCE
    )
    assert (move.event, move.fields["mlq_reason"]) == (Event.FAIL, "exit 1")


def test_an_end_that_the_root_does_not_tell_is_marked_for_the_copy() -> None:
    """Made anew from its result alone, the job would be retried although its user ended it."""
    failed = result(exit_code=1)
    wish = ending(failed, History(retries=3, stop="canceled"), PATIENCE)
    assert wish.fields["mlq_unwritten"] == 1
    nowhere = ending(failed, History(), PATIENCE, "there is no /data on any machine")
    assert nowhere.fields["mlq_unwritten"] == 1
    assert "mlq_unwritten" not in ending(failed, History(), PATIENCE).fields


def test_a_loss_puts_the_job_back_and_counts_apart_from_failures() -> None:
    move = ending(
        result("lost", reason="lost: no contact"), History(failures=1, retries=1), PATIENCE
    )
    assert move.event is Event.LOSE
    assert move.fields["mlq_reason"] == "lost: no contact"
    assert move.lost_on == "lab01"
    assert "mlq_failures" not in move.fields


@pytest.mark.parametrize(("losses", "event"), [(4, Event.LOSE), (5, Event.GIVE_UP)])
def test_more_than_max_losses_fails_the_job(losses: int, event: Event) -> None:
    move = loss(("7", 2), "lab01", "machine lab01 rebooted", History(losses=losses), 5, avoid=False)
    assert move.event is event
    if event is Event.GIVE_UP:
        assert move.fields["mlq_reason"] == (
            "kills its machine: lost 6 times, the last time machine lab01 rebooted"
        )


def test_a_lost_job_that_its_user_wanted_to_end_has_ended() -> None:
    move = loss(("7", 2), "lab01", "gone", History(losses=9, stop="canceled by ann"), 5, avoid=True)
    assert (move.event, move.fields["mlq_reason"]) == (Event.CANCEL, "canceled by ann")


@pytest.mark.parametrize(
    ("earlier", "pause_s"), [(0, 5), (1, 15), (3, 135), (9, 600), (10**9, 600)]
)
def test_the_pause_before_a_retry_grows_up_to_a_limit(earlier: int, pause_s: float) -> None:
    assert PATIENCE.pause_s(earlier) == pause_s


def test_a_loss_to_a_restarted_supervisor_is_no_reason_to_avoid_its_machine() -> None:
    restarted = ending(result("lost", reason="lost: the launcher died"), History(), PATIENCE)
    assert (restarted.lost_on, restarted.avoid) == ("lab01", "")
    cause = {"kind": "machine", "what": ""}
    full = ending(result("lost", reason="lost: no process", cause=cause), History(), PATIENCE)
    assert (full.lost_on, full.avoid) == ("lab01", "lab01")


def test_a_machine_that_starts_no_process_costs_no_job_anything() -> None:
    cause = {"kind": "machine", "what": ""}
    reason = "handed back: lab01 starts no more"
    unstarted = result("released", reason=reason, cause=cause, started_at=None)
    back = ending(unstarted, History(requeue=False), PATIENCE)
    assert (back.event, back.lost_on, back.avoid) == (Event.RELEASE, "", "")
    assert "mlq_failures" not in back.fields


@pytest.mark.parametrize("kind", ["folder", "command", "environment"])
def test_what_is_missing_here_burns_no_retry_while_another_machine_may_have_it(kind: str) -> None:
    cause = {"kind": kind, "what": "/data"}
    missing = result("unstartable", 127, reason="missing: /data", cause=cause)
    back = ending(missing, History(retries=1), PATIENCE)
    assert (back.event, back.avoid) == (Event.RELEASE, "lab01")
    assert back.fields["mlq_reason"] == "missing: /data, on lab01"
    assert "mlq_failures" not in back.fields
    nowhere = "missing: /data, on lab01 and lab02"
    failed = ending(missing, History(), PATIENCE, nowhere)
    assert (failed.event, failed.fields["mlq_reason"]) == (Event.FAIL, nowhere)


def test_a_job_whose_own_folder_fails_is_given_up_after_three_tries() -> None:
    cause = {"kind": "job folder", "what": "/root/jobs/7"}
    broken = result("storage", reason="cannot write /root/jobs/7", cause=cause)
    moves = [ending(broken, History(folder_faults=n), PATIENCE) for n in range(3)]
    assert [move.event for move in moves] == [Event.RETRY, Event.RETRY, Event.FAIL]
    assert [move.pause_s for move in moves] == [5, 15, 0]
    assert [move.fields["mlq_folder_faults"] for move in moves] == [1, 2, 3]
    assert all("mlq_failures" not in move.fields for move in moves)
    assert moves[2].fields["mlq_reason"] == "cannot write /root/jobs/7; tried 3 times"


@pytest.mark.parametrize("told", [None, "folder", [], {"kind": "of a later version"}, {"kind": 7}])
def test_a_cause_that_is_none_changes_nothing(told: Any) -> None:
    move = ending(result("unstartable", 127, reason="why", cause=told), History(), PATIENCE)
    assert (move.event, move.fields["mlq_reason"]) == (Event.FAIL, "why")


def test_a_refused_job_fails_with_the_reason() -> None:
    move = refusal(("7", 2), "lab01", "the job is not signed", AT)
    assert (move.event, move.attempt) == (Event.FAIL, 2)
    assert move.fields == {"mlq_reason": "refused: the job is not signed", "ended_at": AT}


ONCE = History(retries=3, requeue=False)


def test_a_job_that_must_not_run_again_fails_with_its_machine() -> None:
    move = loss(("7", 2), "lab01", "machine lab01 rebooted", ONCE, 5, avoid=False)
    assert (move.event, move.fields["mlq_reason"]) == (
        Event.GIVE_UP,
        "lost: machine lab01 rebooted; it must not run again (--no-requeue)",
    )


def test_one_that_its_worker_stopped_has_failed_unless_it_never_started() -> None:
    back = "handed back: the worker was stopped"
    ran = ending(result("released", reason=back), ONCE, PATIENCE)
    reason = "handed back: the worker was stopped; it must not run again (--no-requeue)"
    assert (ran.event, ran.fields["mlq_reason"]) == (Event.GIVE_UP, reason)
    assert "mlq_failures" not in ran.fields
    waited = ending(result("released", reason=back, started_at=None), ONCE, PATIENCE)
    assert (waited.event, waited.fields["mlq_reason"]) == (Event.RELEASE, back)


def test_one_that_must_not_run_again_after_a_loss_may_still_be_tried_after_a_failure() -> None:
    failed = ending(result(exit_code=1, reason="exit 1"), ONCE, PATIENCE)
    assert failed.event is Event.RETRY
