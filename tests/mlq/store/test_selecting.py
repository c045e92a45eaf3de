"""What typed words mean: names that were used again, globs, states; found without reading all."""

from __future__ import annotations

import pytest
from store_fixtures import NOW_S, Enqueue, claim

from mlq.api.queue import Queue
from mlq.api.selecting import parents
from mlq.errors import InvalidInputError, JobNotFoundError
from mlq.jobs.lifecycle import Event
from mlq.jobs.spec import FunctionCall
from mlq.jug.run import WORKER
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission


def end(store: Store, job_id: str, event: Event, reason: str = "") -> None:
    (mine,) = claim(store)
    assert mine.id == job_id
    move = Move(job_id, event, mine.attempt, fields={"mlq_reason": reason})
    assert store.move([move], NOW_S).moved == (job_id,)


def test_a_name_means_its_latest_job_that_has_not_ended_else_its_latest(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    told: list[str] = []
    queue.tell = told.append
    first, second, third = enqueue(3, name="lr")
    enqueue(1, name="lr-2")
    assert queue.select(["lr"]) == [third]
    queue.cancel([third])
    assert queue.select(["lr"]) == [second]
    queue.cancel([first, second])
    assert queue.select(["lr"]) == [third]
    assert told[0] == "lr is job 3, the latest of 3 of that name (all: 'l[r]')"
    assert queue.select(["l[r]"]) == [first, second, third]


def test_the_name_of_a_jug_run_means_its_workers(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    def workers(run: str, number: int) -> list[str]:
        call = FunctionCall(name=WORKER, kwargs={"run": run}, shown="jug prime numbers.py")
        asked = Submission(name="primes", function=call, cwd="/", python_env="")
        return [job.id for job in queue.submit([asked] * number)]

    first, second = workers("a", 2), workers("b", 120)
    (other,) = enqueue(1, name="primes")
    assert queue.select(["primes"]) == [other]
    queue.cancel([other])
    assert queue.select(["primes"]) == second
    queue.cancel(second[:119])
    assert queue.select(["primes"]) == second
    assert queue.select(["primes"], eligible=["queued"]) == second[119:]
    queue.cancel(second)
    assert queue.select(["primes"]) == first
    assert queue.views(first)[0].command == "jug prime numbers.py"


def test_globs_and_states_find_jobs_in_order(
    store: Store, enqueue: Enqueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlq.store.reads.SIFTED", 7)
    ids = [enqueue(1, name=f"{'lr' if n % 2 else 'wd'}-{n}")[0] for n in range(40)]
    enqueue(5)
    queue.cancel(ids[:10])
    assert queue.select(["lr-*"]) == ids[1::2]
    assert queue.select(["*-1?"]) == ids[10:20]
    assert queue.select(["lr-*"], ["canceled"]) == ids[1:10:2]
    assert queue.select(["wd-*"], eligible=["queued"]) == ids[10::2]
    assert queue.select([], ["canceled"]) == ids[:10]
    assert len(queue.select([], ["queued", "started"])) == 35
    assert queue.select(["LR-[1-3]", "lr-[1-3]"][1:]) == [ids[1], ids[3]]


@pytest.mark.one_server
def test_many_jobs_in_one_place_in_line_are_each_found_once(
    store: Store, enqueue: Enqueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlq.store.reads.SIFTED", 3)
    ids = enqueue(11)
    for one in ids:
        store.client.call("ZADD", "mlq:jobs", 5, one)
    assert queue.select([], ["queued", "failed"]) == ids
    for one in ids:
        store.client.call("ZADD", "mlq:jobs", int(one), one)


@pytest.mark.one_server
def test_what_means_no_job_is_told_in_one_message(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    enqueue(1, name="lr-1")
    for typed, states, why in [
        (["x-*"], [], "no job x-*: no name of a job matches it"),
        (["lr-*"], ["failed"], "no job lr-*: no name of a job that is failed matches it"),
        (["lr-1"], ["failed"], "no job of lr-1 is failed"),
        ([], ["failed"], "no job is failed"),
        (["nothing"], [], "no job nothing: there is no job with this id or name"),
    ]:
        with pytest.raises(JobNotFoundError) as caught:
            queue.select(typed, states)
        assert str(caught.value).splitlines()[0] == why
    with pytest.raises(InvalidInputError, match="'running' is no state of a job"):
        queue.select([], ["running"])


@pytest.mark.one_server
def test_after_an_old_failure_of_a_name_is_refused_with_the_choice(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (prepared,) = enqueue(1, name="prep")
    end(store, prepared, Event.FAIL, "exit 1")

    def after(*words: str, any_end: bool = False) -> tuple[str, ...]:
        return parents(store, words, after_any=any_end, tell=lambda _: None).ids

    with pytest.raises(InvalidInputError) as caught:
        after("prep")
    assert str(caught.value) == (
        "a job after prep would never run: job 1, the latest of that name, failed already: exit 1\n"
        "  run it again first (mlq retry 1), or give the number of the one you mean"
    )
    enqueue(1, name="train", after=[prepared])  # canceled at once
    with pytest.raises(InvalidInputError, match=r"run job 1 again first \(mlq retry 1\)"):
        after("train")
    assert after("prep", any_end=True) == after("1") == (prepared,)
    queue.retry([prepared])
    assert after("prep") == (prepared,)
    (again,) = enqueue(1, name="prep")
    assert after("prep") == (again,)
    assert after("p*", "1") == (prepared, again)


@pytest.mark.one_server
def test_the_python_api_takes_names_to_come_after(
    store: Store, enqueue: Enqueue, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlq.server.acknowledged.acknowledge", lambda *_: None)
    monkeypatch.setattr(queue, "_environ", {})
    (prepared,) = enqueue(1, name="prep")
    job = queue.enqueue(["true"], after=["prep"], python_env="", cwd="/")
    assert job.view().after == (prepared,)
    assert job.view().state == "deferred"
