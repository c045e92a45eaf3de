"""Arrays: the index of a member is its task number, however often it is enqueued."""

from __future__ import annotations

from store_fixtures import LAB01, NOW_S

from mlq.api.queue import Queue
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.store.sweeps import open_sweep
from mlq.submit.submission import Submission
from mlq.sweeps.files import Files
from mlq.sweeps.planning import Wanted, plan
from mlq.sweeps.report import SweepReport

COMMON = Submission(cwd="/", python_env="", in_place=True)


def submit(queue: Queue, array: str, word: str = "x", *, is_new: bool = False) -> SweepReport:
    wanted = Wanted(("true", word), "/", name="a", array=array)
    planned = plan(wanted, Files("/", lambda _: b""))
    if is_new:
        return queue.submit_members(
            planned, [COMMON.with_argv(("true", word))] * len(planned.members)
        )
    return queue.submit_sweep(planned, COMMON)


def run(store: Store, number: int, event: Event) -> list[str]:
    claims = store.claim([(f"p0.c1.m2048.g0.v0.s{number}", 99)], LAB01, 45, NOW_S)
    for one in claims:
        assert store.move([Move(one.id, event, one.attempt)], NOW_S).moved == (one.id,)
    return [one.id for one in claims]


def test_a_member_has_the_number_of_its_task(store: Store, queue: Queue) -> None:
    report = submit(queue, "5-9:2,12,3%2")
    assert report.ids == ("1_5", "1_7", "1_9", "1_12", "1_3")
    assert queue.select(["1_[5-9:2,12%4]"]) == ["1_5", "1_7", "1_9", "1_12"]
    assert queue.cancel(queue.select(["1_7"])) == (["1_7"], [])
    assert submit(queue, "12-14,3").ids == ("1_13", "1_14")  # it is extended


def test_what_failed_runs_again_under_no_tasks_number(store: Store, queue: Queue) -> None:
    submit(queue, "1-2")
    assert run(store, 1, Event.FAIL) == ["1_1", "1_2"]
    assert submit(queue, "1-3").ids == ("1_250000", "1_250001", "1_3")
    run(store, 1, Event.FAIL)
    assert submit(queue, "0-2").ids == ("1_0", "1_250002", "1_250003")
    assert queue.select(["a"]) == ["1_0", "1_3", "1_250002", "1_250003"]


def test_another_command_is_another_array_and_both_are_found(store: Store, queue: Queue) -> None:
    assert submit(queue, "0-1").ids == ("1_0", "1_1")
    assert submit(queue, "0-1", "y").ids == ("2_0", "2_1")
    assert submit(queue, "0-2", "y").ids == ("2_2",)
    assert submit(queue, "0-2", "y", is_new=True).ids == ("3_0", "3_1", "3_2")
    seeds = plan(Wanted(("true", "{seed}"), "/", name="a", seeds=1), Files("/", lambda _: b""))
    assert queue.submit_sweep(seeds, COMMON).ids == ("4_0",)
    assert queue.select(["a"]) == ["4_0"]
    assert queue.select(["1"]) == ["1_0", "1_1"]
    assert len(queue.select(["1-4"])) == 9
    assert [one.number for one in queue.store.reads.sweeps(["1", "2", "3"])] == [1, 2, 3]


def test_two_shells_at_once_make_one_array(store: Store, queue: Queue) -> None:
    at = "2026-11-27T10:00:00.000000Z"
    first = open_sweep(store, "a", {}, at, ["k1", "k2"])
    assert open_sweep(store, "a", {}, at, ["k1", "k2"]) == first


def test_a_range_of_members_means_no_other_sweep(store: Store, queue: Queue) -> None:
    """`1_0-3` is no number, though Python would read 10 to 13 in it."""
    for word in "abcdefghijk":
        submit(queue, "0-1", word)
    assert queue.select(["1_0-3"]) == ["1_0", "1_1"]
