"""What a worker remembers of what it holds, and what that leaves for others."""

from typing import Any

from mlq.jobs.request import Request
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt

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


def test_an_ended_attempt_is_held_until_its_end_is_committed() -> None:
    made = attempts(local("1"), local("2"))
    made.end(result("1", 0.5))
    assert [one.attempt for one in made.active()] == [("2", 1)]
    assert [one.attempt for one in made.ended()] == [("1", 1)]
    made.drop([("1", 1), ("9", 9)])
    assert made.ended() == []


def test_a_new_worker_takes_back_what_the_one_before_said_of_a_pause() -> None:
    assert local("1", restraint="").untold == {}
    assert local("1", restraint="", told={"mlq_restraint": "[]"}).untold == {"mlq_restraint": ""}
    held = local("1", adopted=True)
    assert held.untold == {}  # its supervisor has not said yet
    held.restraint = ""
    assert held.untold == {"mlq_restraint": ""}
    held.told = held.untold
    assert held.untold == {}


def test_an_ended_attempt_gives_its_resources_back_at_once() -> None:
    made = attempts(local("1"), local("2"))
    made.end(result("1", 0.5))
    assert len(made.promises()) == 1
    assert len(made.running(1000)) == 1


def test_the_end_of_what_is_not_held_is_nothing() -> None:
    made = attempts()
    made.end(result("1", 0.5))
    assert made.ended() == []


def test_a_promise_names_the_process_the_gpus_and_the_memory_it_covers() -> None:
    request = Request(2, 3000, 1, 4000)
    made = attempts(local("1", request=request, gpu_uuids=("GPU-a",)))
    (unborn,) = made.promises()
    assert (unborn.leader_pids, unborn.cores, unborn.mem_mib) == ((), 2, 3000)
    assert (unborn.gpu_uuids, unborn.vram_mib) == (("GPU-a",), 4000)
    made.by_key["1", 1].leader_pid = 4711
    assert made.promises()[0].leader_pids == (4711,)


def test_an_occupant_ends_when_its_time_limit_says() -> None:
    made = attempts(local("1", time_limit_s=60.0), local("2"))
    assert [one.ends_in_s for one in made.running(1010)] == [50, None]
    assert [one.ends_in_s for one in made.running(9999)] == [0, None]
