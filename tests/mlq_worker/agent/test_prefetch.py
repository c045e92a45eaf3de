"""Which short jobs are claimed ahead, how many run at once, and which are handed back."""

from typing import Any

from mlq.jobs.request import Request
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.prefetch import PREFETCH_S, stalled

SHORT = "p0.c1.m100.g0.v0"
BEGAN = "2026-11-23T22:15:01.000000Z"


def local(job_id: str, **changes: Any) -> LocalAttempt:
    fields: dict[str, Any] = {
        "attempt": (job_id, 1),
        "class_name": SHORT,
        "request": Request(1, 100),
        "gpu_uuids": (),
        "history": History(),
        "prefetched": False,
        "started_s": 1000.0,
        "time_limit_s": None,
    }
    return LocalAttempt(**{**fields, **changes})


def result(job_id: str, lasted_s: float, **changes: Any) -> AttemptResult:
    ended = f"2026-11-23T22:15:{1 + lasted_s:09.6f}Z"
    fields = {"outcome": "exited", "exit_code": 0, "started_at": BEGAN, "ended_at": ended}
    return AttemptResult(id=job_id, attempt=1, machine="lab01", reason="", **{**fields, **changes})


def attempts(*held: LocalAttempt, width: int = 0, mean_s: float | None = None) -> AttemptTable:
    made = AttemptTable()
    if mean_s is not None:
        made.add(local("0"))
        made.end(result("0", mean_s))
        made.drop([("0", 1)])
    for one in held:
        made.add(one)
    made.prefetch.set_width(SHORT, width)
    return made


def test_a_class_is_short_when_its_jobs_lasted_so() -> None:
    assert not attempts().prefetch.is_short(SHORT)
    assert attempts(mean_s=PREFETCH_S / 2).prefetch.is_short(SHORT)
    assert not attempts(mean_s=PREFETCH_S * 2).prefetch.is_short(SHORT)


def test_long_jobs_make_a_class_long_again() -> None:
    made = attempts(mean_s=0.001)
    made.add(local("1"))
    made.end(result("1", 1))
    assert not made.prefetch.is_short(SHORT)


def test_only_jobs_that_ran_to_their_end_tell_how_long_a_class_lasts() -> None:
    made = attempts(local("1"), local("2"))
    made.end(result("1", 0.001, outcome="canceled"))
    made.end(result("2", 0.001, started_at=None))
    assert not made.prefetch.is_short(SHORT)


def test_what_was_claimed_ahead_and_waits_holds_nothing_yet() -> None:
    short = [local(str(number), prefetched=True) for number in range(5)]
    made = attempts(*short, local("9", request=Request(4, 4000)), width=2, mean_s=0.01)
    assert [one.cores for one in made.promises()] == [1, 1, 4]
    (known,) = made.prefetch.classes(made.active()).values()
    assert (known.held, known.width) == (5, 2)


def test_no_more_run_at_once_than_are_held() -> None:
    made = attempts(local("1", prefetched=True), width=8, mean_s=0.01)
    assert made.prefetch.classes(made.active())[SHORT].width == 1


def test_what_waits_behind_a_job_that_does_not_end_is_stalled() -> None:
    runs = local("1", prefetched=True, leader_pid=4711)
    waiting = [local(str(number), prefetched=True) for number in (2, 3)]
    made = attempts(runs, *waiting, width=1, mean_s=0.01)
    assert stalled(made.active(), 1000.5) == []
    assert stalled(made.active(), 1010) == waiting
    made.prefetch.learn_stalled(SHORT, 10)
    assert not made.prefetch.is_short(SHORT), "or the same jobs would be claimed ahead again"
    for one in waiting:
        one.stopping = True
    assert stalled(made.active(), 1010) == []


def test_what_runs_is_not_stalled() -> None:
    made = attempts(local("1", prefetched=True, leader_pid=4711), width=1, mean_s=0.01)
    assert stalled(made.active(), 9999) == []


def test_as_many_run_at_once_as_ran_when_they_were_adopted() -> None:
    made = AttemptTable()
    for job_id, pid in (("1", 11), ("2", 12), ("3", None)):
        made.add(local(job_id, prefetched=True, leader_pid=pid))
    made.prefetch.restore_widths(made.active())
    assert len(made.promises()) == 2
