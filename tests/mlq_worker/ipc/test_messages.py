"""The JSON on the sockets and in `result.json` is a contract with processes of other versions."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.launcher_messages import Commands, News, Recorded, Spawn
from mlq_worker.ipc.messages import (
    PROTOCOL,
    Confirm,
    ContactNews,
    Forget,
    Greeting,
    HaveEnded,
    HaveSignaled,
    HaveStarted,
    Hello,
    Shutdown,
    Signal,
    Start,
    Stop,
    WorkerMessage,
    worker_message,
)
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import (
    Found,
    Held,
    Order,
    Result,
    Started,
    StopSignal,
    Termination,
    from_json,
    to_json,
)

ATTEMPT = AttemptId("7", 2)
ORDER_JSON: dict[str, Any] = {
    "id": "7",
    "attempt": 2,
    "mark": "mlq:q:m:7.2",
    "argv": ["python", "train.py"],
    "env": {"PATH": "/bin"},
    "cwd": "/home",
    "job_dir": "/root/jobs/7",
    "job_json": "{}",
    "time_limit_s": 60.0,
    "stop_grace_s": 10,
    "lane": "short",
    "width": 4,
}
ORDER_EXTRAS: dict[str, Any] = {
    "tag": {"class": "c"},
    "python_env": "/venv",
    "called": "python",
    "secrets": {"TOKEN": "abc"},
    "signal": {"number": 10, "ahead_s": 5.0, "first_only": True},
}
RESULT_JSON: dict[str, Any] = {
    "id": "7",
    "attempt": 2,
    "machine": "m1",
    "boot_id": "b",
    "outcome": "exited",
    "exit_code": 1,
    "signal": None,
    "reason": "exit 1",
    "started_at": "s",
    "ended_at": "e",
    "cpu_s": 1.5,
    "max_rss_mib": 20,
}
RESULT_EXTRAS: dict[str, Any] = {
    "cause": {"kind": "command", "what": "python"},
    "found": {"attempt": 3, "machine": "m2", "boot_id": "c", "supervisor_id": "d"},
    "notes": ["its log was emptied"],
    "last_line": "out of memory",
    "unwritten": True,
    "has_said": True,
}
STARTED_JSON = {
    "id": "7",
    "attempt": 2,
    "pid": 99,
    "pid_start": 1234,
    "started_at": "s",
    "at": 5.5,
}
END_JSON = {"id": "7", "attempt": 2, "outcome": "canceled", "reason": "canceled", "kill_at": 9.0}


def wired(message: Any) -> Any:
    """What the other side reads."""
    return json.loads(json.dumps(message))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (Order, ORDER_JSON),
        (Order, ORDER_JSON | ORDER_EXTRAS),
        (Order, ORDER_JSON | {"lane": None, "time_limit_s": None}),
        (Result, RESULT_JSON),
        (Result, RESULT_JSON | RESULT_EXTRAS),
        (Started, STARTED_JSON),
        (Termination, END_JSON),
    ],
)
def test_a_value_is_the_same_json_as_ever(kind: Any, raw: dict[str, Any]) -> None:
    value = from_json(kind, raw)
    assert value.attempt == ATTEMPT
    assert wired(to_json(value)) == raw
    assert from_json(kind, wired(to_json(value))) == value


def test_the_parts_of_a_value_have_types() -> None:
    order = from_json(Order, ORDER_JSON | ORDER_EXTRAS)
    assert order.argv == ("python", "train.py")
    assert order.signal == StopSignal(10, ahead_s=5.0, first_only=True)
    result = from_json(Result, RESULT_JSON | RESULT_EXTRAS)
    assert result.cause == Cause(Kind.COMMAND, "python")
    assert result.found == Found(3, "m2", "c", "d")
    assert result.notes == ("its log was emptied",)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [(Order, ORDER_JSON), (Result, RESULT_JSON), (Started, STARTED_JSON), (Termination, END_JSON)],
)
def test_what_lacks_something_is_refused(kind: Any, raw: dict[str, Any]) -> None:
    for name in raw:
        with pytest.raises((KeyError, ValueError), match=name):
            from_json(kind, {key: value for key, value in raw.items() if key != name})


def test_an_order_whose_id_is_no_name_for_a_folder_is_refused() -> None:
    for bad in ("../7", "", "a/b"):
        with pytest.raises(ValueError, match="cannot be the id of a job"):
            from_json(Order, ORDER_JSON | {"id": bad})


def test_what_another_version_adds_is_passed_over() -> None:
    assert from_json(Result, RESULT_JSON | {"new": 1}) == from_json(Result, RESULT_JSON)


def test_nobody_writes_into_an_order_or_a_result() -> None:
    for value in (from_json(Order, ORDER_JSON), from_json(Result, RESULT_JSON)):
        with pytest.raises(FrozenInstanceError):
            value.attempt = AttemptId("8", 1)


def test_what_an_order_holds_of_secrets_and_variables_is_not_shown() -> None:
    assert "/bin" not in repr(from_json(Order, ORDER_JSON))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"op": "hello", "protocol": PROTOCOL}, Hello()),
        ({"op": "start", "orders": []}, Start((), None)),
        (
            {"op": "start", "at": 3.5, "orders": [ORDER_JSON]},
            Start((from_json(Order, ORDER_JSON),), 3.5),
        ),
        (
            {"op": "stop", "id": "7", "attempt": 2, "outcome": "lost", "reason": "r"},
            Stop(ATTEMPT, "lost", "r"),
        ),
        (
            {
                "op": "stop",
                "id": "7",
                "attempt": 2,
                "outcome": "overstepped",
                "reason": "r",
                "shortage": Shortage(of_gpu=True, used_mib=7).as_json(),
            },
            Stop(ATTEMPT, "overstepped", "r", Shortage(of_gpu=True, used_mib=7)),
        ),
        (
            {
                "op": "signal",
                "id": "7",
                "attempt": 2,
                "sequence": 5,
                "number": 10,
                "whom": "script",
            },
            Signal(ATTEMPT, 5, 10, "script"),
        ),
        (
            {"op": "confirm", "at": 1.0, "alive": [["7", 2]], "lost": [["8", 1]]},
            Confirm(1.0, (ATTEMPT,), (AttemptId("8", 1),), displaced=False),
        ),
        (
            {"op": "confirm", "at": 1.0, "alive": [], "lost": [], "displaced": True},
            Confirm(1.0, (), (), displaced=True),
        ),
        ({"op": "forget", "attempts": [["7", 2]]}, Forget((ATTEMPT,))),
        ({"op": "shutdown"}, Shutdown()),
    ],
)
def test_what_the_worker_says(raw: dict[str, Any], message: WorkerMessage) -> None:
    assert worker_message(raw) == message


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"op": "dance"},
        {"op": "start"},
        {"op": "start", "orders": [{}]},
        {"op": "start", "orders": ["7"]},
        {"op": "start", "orders": [7]},
        {"op": "confirm", "at": 1.0, "alive": [["7"]], "lost": []},
        {"op": "forget", "attempts": 7},
        {"op": "signal", "id": "7", "attempt": 2},
    ],
)
def test_what_cannot_be_understood_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        worker_message(raw)


def test_what_the_supervisor_says_to_the_worker() -> None:
    result, started = from_json(Result, RESULT_JSON), from_json(Started, STARTED_JSON)
    order = {"lane": None, "time_limit_s": None, "tag": {}}
    held = Held(ATTEMPT, "mark", "ended", 99, 1234, "s", result, order)
    runs = replace(held, state="running", result=None)
    assert wired(Greeting("s1", "b", 42, (held, runs)).to_json()) == {
        "event": "hello",
        "protocol": PROTOCOL,
        "features": ["code", "batch", "guest", "signals"],
        "supervisor_id": "s1",
        "boot_id": "b",
        "pid": 42,
        "attempts": [
            {
                "id": "7",
                "attempt": 2,
                "mark": "mark",
                "state": state,
                "pid": 99,
                "pid_start": 1234,
                "started_at": "s",
                "result": told,
                "order": order,
            }
            for state, told in (("ended", RESULT_JSON), ("running", None))
        ],
    }
    told = wired(HaveStarted((started,)).to_json())
    assert told == {"event": "started", "attempts": [STARTED_JSON]}
    assert wired(HaveEnded((result,)).to_json()) == {"event": "ended", "results": [RESULT_JSON]}
    told = wired(HaveSignaled(((ATTEMPT, 5),)).to_json())
    assert told == {"event": "signaled", "signals": [["7", 2, 5]]}
    assert ContactNews(0.12345, 2.0, paused=True, nfs_error="", wrong_root="x").to_json() == {
        "event": "contact",
        "redis_silence_s": 0.123,
        "nfs_silence_s": 2.0,
        "paused": True,
        "nfs_error": "",
        "wrong_root": "x",
    }


def test_supervisor_and_launcher_understand_each_other() -> None:
    result, order = from_json(Result, RESULT_JSON), from_json(Order, ORDER_JSON)
    commands = Commands(
        (from_json(Termination, END_JSON),),
        (ATTEMPT,),
        (result,),
        (Spawn(order, 12.5), Spawn(order, 13.5, (frozenset({0, 1, 4}), frozenset({2})))),
    )
    raw = wired(commands.to_json())
    assert raw == {
        "doom": [END_JSON],
        "forget": [["7", 2]],
        "record": [RESULT_JSON],
        "spawn": [[ORDER_JSON, 12.5], [ORDER_JSON, 13.5, ["0-1,4", "2"]]],
    }
    assert Commands.from_json(raw) == commands
    assert Commands().to_json() == {}
    news = News(
        (from_json(Started, STARTED_JSON),),
        (ATTEMPT,),
        (result,),
        (Recorded(ATTEMPT, True, "Killed", has_said=True), Recorded(AttemptId("8", 1), False)),
    )
    raw = wired(news.to_json())
    assert raw == {
        "started": [STARTED_JSON],
        "late": [["7", 2]],
        "gone": [RESULT_JSON],
        "last_lines": [["7", 2, "Killed"]],
        "said": [["7", 2]],
        "stored": [["7", 2]],
        "unwritten": [["8", 1]],
    }
    assert News.from_json(raw) == news
