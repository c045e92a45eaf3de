"""Behaviour 6: rq's own tools see the same jobs, in the same states."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from flask.testing import FlaskClient
from redis_server import RedisServer
from rq import Queue, Worker
from rq.job import Job
from rq.registry import BaseRegistry, clean_registries
from rq.serializers import JSONSerializer
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue

from mlq.files.layout import Layout
from mlq.jobs.lifecycle import Event, State
from mlq.jobs.view import FIELDS, view
from mlq.store.operations import Move
from mlq.store.record import result_fields
from mlq.store.store import Store
from mlq_worker.agent.machine_record import rq_worker

REGISTRIES = {
    State.STARTED: "started_job_registry",
    State.FINISHED: "finished_job_registry",
    State.FAILED: "failed_job_registry",
    State.CANCELED: "canceled_job_registry",
    State.DEFERRED: "deferred_job_registry",
}


@dataclass(frozen=True)
class Mixture:
    """One job in each state, by state."""

    jobs: dict[State, str]

    def registry(self, queue: Queue, state: State) -> BaseRegistry:
        found: BaseRegistry = getattr(queue, REGISTRIES[state])
        return found


@pytest.fixture
def mixture(store: Store, enqueue: Enqueue) -> Mixture:
    finished, failed, canceled, started, queued = enqueue(5, name="lr")
    (deferred,) = enqueue(1, after=[queued])
    for _ in (finished, failed):
        (claim,) = store.claim([(CLASS, 1)], LAB01, 45, NOW_S)
        event, state = (
            (Event.SUCCEED, "finished") if claim.id == finished else (Event.FAIL, "failed")
        )
        reason = "" if claim.id == finished else "exit 1"
        entry = result_fields(state, claim.attempt, "lab01", reason=reason, value="[3]")
        fields: dict[str, str | int | float] = {
            "mlq_reason": reason,
            "ended_at": "2026-11-23T22:15:01.123456Z",
        }
        store.move(
            [Move(claim.id, event, claim.attempt, fields=fields, result=tuple(entry))], NOW_S
        )
    store.move([Move(canceled, Event.CANCEL)], NOW_S)
    (claim,) = store.claim([(CLASS, 1)], LAB01, 45, NOW_S)
    assert claim.id == started
    store.roles.record_machine("lab01", {}, rq_worker("lab01", True, NOW_S, NOW_S))
    return Mixture(
        {
            State.FINISHED: finished,
            State.FAILED: failed,
            State.CANCELED: canceled,
            State.STARTED: started,
            State.QUEUED: queued,
            State.DEFERRED: deferred,
        }
    )


@pytest.fixture
def queue(redis_client: redis.Redis) -> Queue:
    return Queue(CLASS, connection=redis_client, serializer=JSONSerializer)


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    settings = redis_server.settings
    password = settings.password_file.read_text("utf-8").strip()
    return f"unix://{settings.redis_user}:{quote(password)}@{settings.redis_socket}"


# --- rq itself ----------------------------------------------------------------------------------


def test_rq_fetches_each_job_in_its_state(mixture: Mixture, redis_client: redis.Redis) -> None:
    for state, job_id in mixture.jobs.items():
        job = Job.fetch(job_id, connection=redis_client, serializer=JSONSerializer)
        assert job.get_status() == state.value
        assert job.description == "true"
        assert (job.func_name, job.origin) == ("mlq.store.record.run_command", CLASS)
        assert job.timeout == -1
        assert job.enqueued_at is not None
        assert (job.started_at is not None) == (state in ("started", "finished", "failed"))


def test_rq_reads_how_a_job_ended(mixture: Mixture, redis_client: redis.Redis) -> None:
    failed = Job.fetch(
        mixture.jobs[State.FAILED], connection=redis_client, serializer=JSONSerializer
    )
    result = failed.latest_result()
    assert result is not None
    assert (result.type.name, result.exc_string, result.worker_name) == (
        "FAILED",
        "exit 1",
        "lab01",
    )
    finished = Job.fetch(
        mixture.jobs[State.FINISHED], connection=redis_client, serializer=JSONSerializer
    )
    assert finished.return_value() == [3]


@pytest.mark.parametrize("state", REGISTRIES)
def test_each_registry_holds_the_jobs_of_its_state(
    mixture: Mixture, queue: Queue, state: State
) -> None:
    registry = mixture.registry(queue, state)
    assert registry.get_job_ids() == [mixture.jobs[state]]
    assert registry.count == 1


def test_the_waiting_list_is_rqs_queue(mixture: Mixture, queue: Queue) -> None:
    assert queue.get_job_ids() == [mixture.jobs[State.QUEUED]]
    assert [one.name for one in Queue.all(connection=queue.connection)] == [CLASS]


def test_rqs_clean_up_touches_neither_leases_nor_ended_jobs(
    mixture: Mixture, queue: Queue, store: Store
) -> None:
    clean_registries(queue)
    for state, job_id in mixture.jobs.items():
        assert store.reads.rows(("status",), [job_id]) == [[job_id, state]]
    assert [held.id for held in store.held("lab01")] == [mixture.jobs[State.STARTED]]


def test_the_execution_of_a_running_job_is_seen(
    mixture: Mixture, redis_client: redis.Redis
) -> None:
    job = Job.fetch(mixture.jobs[State.STARTED], connection=redis_client, serializer=JSONSerializer)
    (execution,) = job.get_executions()
    assert (execution.id, job.worker_name) == ("1", "lab01")


def test_a_machine_is_a_worker_of_rq(mixture: Mixture, redis_client: redis.Redis) -> None:
    (worker,) = Worker.all(connection=redis_client, serializer=JSONSerializer)
    assert (worker.name, worker.hostname, worker.get_state()) == ("lab01", "lab01", "busy")


def test_rq_info_shows_the_queue_and_the_worker(mixture: Mixture, url: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "rq.cli", "info", "--raw", "--url", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    (numbers,) = [line for line in lines if line[:2] == ["queue", CLASS]]
    assert numbers[2].rstrip(",") == "1"
    (machine,) = [line for line in lines if line[:2] == ["worker", "lab01"]]
    assert "busy" in machine


# --- plain rq in, mlq out -----------------------------------------------------------------------


def test_functions_of_plain_rq_wait_in_their_place_among_ours(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (before,) = enqueue(1)
    plain = [queue.enqueue("math.hypot", 3, number).id for number in range(2)]
    (after,) = enqueue(1)
    (head,) = store.peek().heads
    assert (head.id, head.length) == (before, 4)
    claims = store.claim([(CLASS, 9)], LAB01, 45, NOW_S)
    assert [one.id for one in claims] == [before, *plain, after]
    assert [(one.spec, one.signature) for one in claims[1:3]] == [("", "")] * 2


def test_a_queue_of_plain_rq_of_any_name_is_seen_and_claimed(
    store: Store, redis_client: redis.Redis, tmp_path: Path
) -> None:
    stock = Queue("default", connection=redis_client, serializer=JSONSerializer)
    job = stock.enqueue("math.hypot", 3, 4, job_timeout=90)
    (head,) = store.peek().heads
    assert (head.class_name, head.id, head.time_limit_s) == ("default", job.id, 90)
    assert store.peek().heads == (head,)
    (claim,) = store.claim([("default", 1)], LAB01, 45, NOW_S)
    assert (claim.id, claim.attempt, claim.class_name) == (job.id, 1, "default")
    seen = view(store.reads.rows(FIELDS, [job.id])[0], Layout(tmp_path), 2048)
    assert (seen.state, seen.command, seen.machine) == ("started", "math.hypot(3, 4)", "lab01")
    job.refresh()
    assert job.get_status() == "started"
    assert redis_client.ttl(f"rq:job:{job.id}") == -1


def test_a_job_of_plain_rq_that_expired_in_the_queue_is_passed_over(
    store: Store, redis_client: redis.Redis, redis_server: RedisServer
) -> None:
    stock = Queue("default", connection=redis_client, serializer=JSONSerializer)
    gone, there = (stock.enqueue("math.hypot", 3, 4) for _ in range(2))
    redis_server.admin.delete(f"rq:job:{gone.id}")
    store.peek()
    (claim,) = store.claim([("default", 1)], LAB01, 45, NOW_S)
    assert claim.id == there.id
    assert redis_server.admin.exists(f"rq:job:{gone.id}") == 0


# --- rq-dashboard -------------------------------------------------------------------------------


@pytest.fixture
def dashboard(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    import rq_dashboard
    import rq_dashboard.web
    from flask import Flask

    # What `rq-dashboard --json --redis-url URL` sets up.
    monkeypatch.setattr(rq_dashboard.web.config, "serializer", JSONSerializer)
    app = Flask(__name__)
    app.config.from_object(rq_dashboard.default_settings)
    app.config["RQ_DASHBOARD_REDIS_URL"] = url
    rq_dashboard.web.setup_rq_connection(app)
    app.register_blueprint(rq_dashboard.blueprint)
    app.testing = True
    with app.test_client() as client:
        yield client


def page(dashboard: FlaskClient, path: str) -> Any:
    answer = dashboard.get(path)
    assert answer.status_code == 200, path
    return answer.json if path.endswith(".json") else answer.text


@pytest.mark.parametrize("state", [State.QUEUED, *REGISTRIES])
def test_the_dashboard_lists_each_job_under_its_state(
    mixture: Mixture, dashboard: FlaskClient, state: State
) -> None:
    listed = page(dashboard, f"/0/data/jobs/{CLASS}/{state}/10/asc/1.json")
    assert [job["id"] for job in listed["jobs"]] == [mixture.jobs[state]]


def test_the_dashboard_counts_the_jobs_of_the_queue(
    mixture: Mixture, dashboard: FlaskClient
) -> None:
    (row,) = page(dashboard, "/0/data/queues.json")["queues"]
    assert row["name"] == CLASS
    counts = {name: row[f"{name}_job_registry_count"] for name in ("started", "failed", "deferred")}
    assert counts == dict.fromkeys(counts, 1)
    assert row["count"] == 1


def test_the_dashboard_shows_how_a_job_ended(mixture: Mixture, dashboard: FlaskClient) -> None:
    failed = page(dashboard, f"/0/data/job/{mixture.jobs[State.FAILED]}.json")
    assert (failed["status"], failed["exc_info"]) == ("failed", "exit 1")
    finished = page(dashboard, f"/0/data/job/{mixture.jobs[State.FINISHED]}.json")
    assert (finished["status"], finished["result"]) == ("finished", [3])


def test_the_dashboard_shows_the_machine(mixture: Mixture, dashboard: FlaskClient) -> None:
    (worker,) = page(dashboard, "/0/data/workers.json")["workers"]
    assert (worker["name"], worker["state"]) == ("lab01", "busy")


def test_the_dashboards_pages_open(mixture: Mixture, dashboard: FlaskClient) -> None:
    for path in ("/", "/0/view/workers", f"/0/view/job/{mixture.jobs[State.STARTED]}"):
        assert "RQ" in page(dashboard, path)


def test_a_job_that_plain_rq_scheduled_waits_once_it_is_due(
    store: Store, queue: Queue, redis_client: redis.Redis
) -> None:
    now = datetime.now(UTC)
    job = queue.enqueue_at(now - timedelta(seconds=1), "builtins.len", "four")
    later = queue.enqueue_at(now + timedelta(hours=1), "builtins.len", "never")
    assert store.due() == [job.id]
    assert store.move([Move(job.id, Event.DUE)], now.timestamp()).moved == (job.id,)
    assert store.due() == []
    (claim,) = store.claim([(queue.name, 9)], LAB01, 45, now.timestamp())
    assert (claim.id, claim.attempt) == (job.id, 1)
    later.delete()
