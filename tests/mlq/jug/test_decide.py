"""What a worker of a jug run does next."""

from __future__ import annotations

from mlq.jug.decide import Next, Survey, decide
from mlq.jug.locks import Lock, Owner, Verdict

BEFORE = Survey(complete=False, finished=3, ready=2)


def locked(verdict: Verdict, host: str = "lab09") -> tuple[Lock, Verdict]:
    return Lock("task", Owner(host, 41), has_failed=verdict == "failed"), verdict


def test_only_jugs_own_check_says_that_a_program_is_done() -> None:
    assert decide(Survey(complete=True, finished=9), []).do == "finish"
    assert decide(Survey(complete=False, finished=9), []).do == "fail"


def test_what_can_run_is_executed() -> None:
    assert decide(Survey(complete=False, ready=2), []).do == "execute"
    assert decide(Survey(complete=False, ready=2), [locked("live")]).do == "execute"


def test_jug_is_not_asked_again_for_what_it_did_not_do() -> None:
    assert decide(BEFORE, [], BEFORE) == Next(
        "fail", "the program is not complete: 2 tasks ready, but jug runs none"
    )
    assert decide(BEFORE._replace(finished=4, ready=1), [], BEFORE).do == "execute"


def test_while_others_are_at_the_rest_the_cores_are_given_back() -> None:
    assert decide(Survey(complete=False, running=1, waiting=4), [locked("live")]).do == (
        "return_later"
    )
    # Also if some have failed: what others finish may let more tasks run.
    now = Survey(complete=False, running=1, failed=1, waiting=4)
    assert decide(now, [locked("failed"), locked("live")]).do == "return_later"


def test_a_lock_that_was_released_since_the_tasks_were_counted_is_no_failure() -> None:
    assert decide(Survey(complete=False, finished=1, running=1), []).do == "return_later"


def test_a_task_that_failed_fails_the_run_with_counts() -> None:
    now = Survey(complete=False, finished=7, failed=2, waiting=5)
    assert decide(now, [locked("failed")], BEFORE) == Next(
        "fail", "2 of 14 tasks failed, 5 wait for them"
    )
    assert decide(Survey(complete=False, failed=1), []).why == "1 of 1 task failed"


def test_locks_of_others_fail_the_run_and_are_named() -> None:
    now = Survey(complete=False, running=5, waiting=1)
    locks = [locked("foreign", f"pc{n}") for n in range(5)]
    assert decide(now, locks) == Next(
        "fail",
        "5 tasks locked by process 41 on pc0, process 41 on pc1, process 41 on pc2 and 2 more,"
        " not of this queue",
    )
