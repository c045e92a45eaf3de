"""Python functions enqueued with plain rq: refused by default, run where the settings allow it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from local_lab import PATIENT, Lab, new_lab
from rq import Queue
from rq.job import Job

from mlq.errors import QueueRefusedError
from mlq.store.connection import open_redis

FUNCTIONS = """
import os, pathlib

def add(a, b=0):
    print("adding")
    return {"sum": a + b, "text": "\\u00fc", "attempt": os.environ["MLQ_ATTEMPT"]}

def nothing():
    pathlib.Path("ran").touch()

def boom():
    raise LookupError("no such thing")

def no_json():
    return object()

def deep():
    value = []
    for _ in range(990):
        value = [value]
    return value

def deep_by_itself():
    with open(os.environ["MLQ_RETURN_FILE"], "w") as file:
        file.write("[" * 990 + "]" * 990)
    os._exit(0)

def pipe_by_itself():
    os.mkfifo(os.environ["MLQ_RETURN_FILE"])
    os._exit(0)

def not_a_number():
    return {"loss": float("nan")}
"""


@pytest.fixture
def permissive() -> Iterator[Lab]:
    """A lab whose workers run what nobody signed."""
    with new_lab(**PATIENT, MLQ_ALLOW_UNSIGNED="true") as lab:
        yield lab


def client_of(lab: Lab) -> redis.Redis:
    (lab.folder / "lab_functions.py").write_text(FUNCTIONS)
    return open_redis(lab.queue.settings)


def test_by_default_it_is_refused_with_the_reason(lab: Lab) -> None:
    lab.machine("lab01")
    with client_of(lab) as client:
        job = Queue("default", client, serializer="json").enqueue("lab_functions.nothing")
        ended = lab.until(job.id, "failed")
        assert ended.reason == (
            "refused: the job is not signed: it did not come through mlq; the setting "
            "allow_unsigned = true would run it"
        )
        assert (ended.exit_code, ended.attempt) == (None, 1)
        fetched = Job.fetch(job.id, client, serializer="json")
        assert fetched.is_failed
        assert "allow_unsigned" in (fetched.latest_result().exc_string or "")
    assert not (lab.folder / "ran").exists()
    assert not lab.layout.job_dir(job.id).exists()


def test_where_it_is_allowed_rq_sees_its_value(permissive: Lab) -> None:
    machine = permissive.machine("lab01")
    with client_of(permissive) as client:
        queue = Queue("default", client, serializer="json")
        job = queue.enqueue("lab_functions.add", 2, b=3)
        none = queue.enqueue("lab_functions.nothing")
        permissive.until(job.id, "finished")
        permissive.until(none.id, "finished")
        value = {"sum": 5, "text": "ü", "attempt": "1"}
        fetched = Job.fetch(job.id, client, serializer="json")
        assert fetched.is_finished
        assert fetched.return_value() == value
        assert Job.fetch(none.id, client, serializer="json").return_value() is None
    assert permissive.log(job.id) == b"adding\n"
    view = permissive.job(job.id)
    assert permissive.queue.result(view).value == value
    # It ran where the worker was started, which the worker itself keeps nobody from unmounting.
    assert (permissive.folder / "ran").exists()
    assert Path(f"/proc/{machine.pid('worker')}/cwd").readlink() == machine.runtime


def test_an_exception_fails_it_and_its_traceback_is_in_the_log(permissive: Lab) -> None:
    permissive.machine("lab01")
    with client_of(permissive) as client:
        job = Queue("default", client, serializer="json").enqueue("lab_functions.boom")
        ended = permissive.until(job.id, "failed")
        assert Job.fetch(job.id, client, serializer="json").is_failed
    assert (ended.exit_code, ended.reason) == (1, "exit 1: LookupError: no such thing")
    log = permissive.log(job.id).decode()
    assert "Traceback (most recent call last)" in log
    assert log.endswith("LookupError: no such thing\n")
    assert permissive.sandbox.ok("logs", job.id) == log


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lab_functions.missing", "mlq: no function lab_functions.missing"),
        ("lab_functions.no_json", "mlq: lab_functions.no_json returned something that is not JSON"),
        (
            "lab_functions.deep",
            "mlq: lab_functions.deep returned something that the queue",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(permissive: Lab, name: str, said: str) -> None:
    permissive.machine("lab01")
    with client_of(permissive) as client:
        job = Queue("default", client, serializer="json").enqueue(name)
        permissive.until(job.id, "failed")
    log = permissive.log(job.id).decode()
    assert log.startswith(said)
    assert "Traceback" not in log


def test_a_value_that_cannot_be_used_fails_its_job_and_holds_up_no_other(permissive: Lab) -> None:
    machine = permissive.machine("lab01")
    pid = machine.pid("worker")
    with client_of(permissive) as client:
        queue = Queue("default", client, serializer="json")
        deep = queue.enqueue("lab_functions.deep_by_itself")
        pipe = queue.enqueue("lab_functions.pipe_by_itself")
        other = queue.enqueue("lab_functions.not_a_number")
        told = permissive.until(deep.id, "failed").reason
        assert told == "its return value cannot be used: it is nested more than 200 deep"
        told = permissive.until(pipe.id, "failed").reason
        assert told == "its return value cannot be used: it is a named pipe"
        value = permissive.queue.result(permissive.until(other.id, "finished")).value
        assert math.isnan(value["loss"])
        client.hset(f"rq:job:{other.id}", "result", "[" * 5000)
        with pytest.raises(QueueRefusedError, match="nested more than 200 deep"):
            permissive.queue.result(permissive.job(other.id))
    assert machine.pid("worker") == pid


def test_a_pickle_is_refused_unopened(permissive: Lab) -> None:
    permissive.machine("lab01")
    with client_of(permissive) as client:
        job = Queue("default", client).enqueue("lab_functions.nothing")
        ended = permissive.until(job.id, "failed")
    assert ended.reason.startswith("refused: the job cannot be read")
    assert not (permissive.folder / "ran").exists()


def test_its_time_limit_is_rqs(permissive: Lab) -> None:
    permissive.machine("lab01")
    with client_of(permissive) as client:
        queue = Queue("default", client, serializer="json")
        job = queue.enqueue("time.sleep", 1000, job_timeout=1)
        assert permissive.until(job.id, "failed").reason == "timeout after 1s"
