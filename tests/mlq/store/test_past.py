"""What finished runs used is kept by command, in bounds; and a move may bring a new signed text."""

from __future__ import annotations

import json
from dataclasses import replace

import redis
from store_fixtures import CLASS, KEY, LAB01, NOW_S, Enqueue, claim, dump, fields

from mlq.api.editing import as_new_text, read_signed, verified
from mlq.jobs.lifecycle import Event
from mlq.jobs.needs import word_of
from mlq.jobs.request import JobClass
from mlq.store.operations import Move, move_operation
from mlq.store.restoring import JobToRestore, restore
from mlq.store.store import Store


def word(store: Store, job: str) -> str:
    return word_of(fields(store, job, "mlq_needs")[1], "s")


def test_only_the_newest_lines_of_a_command_are_kept(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    (job,) = enqueue(1)
    kept = word(store, job)
    admin.rpush(f"mlq:past:{kept}", *(f"p {number} 0 " for number in range(500, 0, -1)))
    (mine,) = claim(store)
    done = Move(job, Event.SUCCEED, mine.attempt, learned="p 501 0 ")
    assert store.move([done, done], NOW_S).stale == (job,)
    lines = store.reads.past([kept])[kept]
    assert (len(lines), lines[0], lines[-1]) == (500, "p 501 0 ", "p 2 0 ")
    assert store.reads.past(["s0123"]) == {"s0123": []}


def test_a_move_with_a_new_text_puts_the_job_into_its_new_class(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    job, like_it = enqueue(2)
    (mine,) = claim(store)
    ((_, text, signature),) = read_signed(store, [job])
    spec = verified(text, signature, job, KEY)
    grown = replace(spec, request=replace(spec.request, mem_mib=3072))
    move = Move(job, Event.RETRY, mine.attempt, fields={"mlq_ooms": 1}, pause_s=5)
    move = move._replace(text=as_new_text(grown, KEY))
    operation = move_operation([move], NOW_S)
    for _ in range(2):  # as if it was sent again
        (reply,) = store.runner.run(operation)
        assert reply["moved"] == [job]
    state, origin = fields(store, job, "origin")
    assert (state, origin) == ("scheduled", grown.job_class.name)
    ((_, text, signature),) = read_signed(store, [job])
    assert verified(text, signature, job, KEY) == grown
    store.move([Move(job, Event.DUE)], NOW_S)
    (again,) = store.claim([(grown.job_class.name, 1)], LAB01, 45, NOW_S)
    assert (again.id, again.ooms, json.loads(again.spec)["request"]["mem_mib"]) == (job, 1, 3072)
    assert JobClass.parse(again.class_name, default_mem_mib=1).request == grown.request
    assert fields(store, like_it, "origin")[1] == spec.job_class.name


def test_a_stale_move_changes_no_text(store: Store, enqueue: Enqueue, admin: redis.Redis) -> None:
    (job,) = enqueue(1)
    (mine,) = claim(store)
    ((_, text, signature),) = read_signed(store, [job])
    spec = verified(text, signature, job, KEY)
    new = as_new_text(replace(spec, request=replace(spec.request, mem_mib=3072)), KEY)
    before = dump(admin)
    late = Move(job, Event.RETRY, mine.attempt + 1, learned="p 1 1 ", text=new)
    assert store.move([late], NOW_S).stale == (job,)
    assert dump(admin) == before


def test_a_queue_made_anew_remembers_what_the_results_root_tells(
    store: Store, enqueue: Enqueue
) -> None:
    job, other = enqueue(2)
    kept = word(store, job)
    (mine,) = claim(store)
    store.move([Move(job, Event.SUCCEED, mine.attempt, learned="p 3 0 ")], NOW_S)
    hashes = {"mlq_needs": fields(store, job, "mlq_needs")[1]}
    done = JobToRestore("8", 8.0, CLASS, "", "finished", hashes, ended_s=NOW_S, learned="p 2 0 ")
    older = done._replace(id="7", order=7.0, learned="p 1 0 ")
    restore(store, [done, older])  # those submitted last come first
    assert store.reads.past([kept])[kept] == ["p 3 0 ", "p 2 0 ", "p 1 0 "]
    assert fields(store, other, "mlq_needs")[0] == "queued"
