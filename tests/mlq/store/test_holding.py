"""What users hold: jobs, sweeps, the whole queue; and how each is let go."""

from __future__ import annotations

import pytest
from store_fixtures import NOW_S, Enqueue, claim, fields

from mlq.api.explaining import explain
from mlq.api.held import hold, sorted_out
from mlq.api.many import release
from mlq.api.queue import Queue
from mlq.jobs.explain import Paused, SweepFull, SweepHeld
from mlq.jobs.lifecycle import Event
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.store.sweeps import hold_sweeps, release_sweeps
from mlq.submit.submission import Submission
from mlq.sweeps.plan import PlannedMember, SweepPlan

COMMON = Submission(cwd="/", python_env="", in_place=True)


def sweep(queue: Queue, count: int, **options: int) -> None:
    members = (PlannedMember({"a": str(one)}, ("true",), f"k{one}") for one in range(count))
    queue.submit_sweep(SweepPlan("s", tuple(members), ("a",)), COMMON, **options)  # type: ignore[arg-type]


def members(store: Store, count: int = 9) -> list[str]:
    claims = store.claim([("p0.c1.m2048.g0.v0.s1", count)], claimant(), 45, NOW_S)
    return [one.id for one in claims]


def claimant() -> object:
    from store_fixtures import LAB01

    return LAB01


def test_a_held_job_waits_until_it_is_let_go(store: Store, enqueue: Enqueue) -> None:
    one, two = enqueue(2)
    done = hold(store, [one, two, "77"], [], "by hand", NOW_S)
    assert (done.jobs, done.others) == ([one, two], ["77"])
    assert hold(store, [one], [], "by hand", NOW_S).others == [one]
    assert claim(store, count=2) == []
    assert release(store, [two], NOW_S)[0] == [two]
    assert [mine.id for mine in claim(store, count=2)] == [two]
    assert hold(store, [two], [], "by hand", NOW_S).others == [two]


@pytest.mark.parametrize("first", ["let go", "parent"])
def test_a_job_that_is_held_while_it_waits_for_another_waits_for_both(
    store: Store, enqueue: Enqueue, first: str
) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    assert hold(store, [child], [], "by hand", NOW_S).jobs == [child]
    (mine,) = claim(store)
    for step in sorted(["let go", "parent"], key=lambda one: one != first):
        assert fields(store, child) == ["deferred"]
        if step == "parent":
            store.move([Move(parent, Event.SUCCEED, mine.attempt)], NOW_S)
        else:
            assert release(store, [child], NOW_S)[0] == [child]
    assert fields(store, child, "mlq_held") == ["queued", ""]


def test_a_held_job_whose_parent_fails_is_canceled(store: Store, enqueue: Enqueue) -> None:
    (parent,) = enqueue(1)
    (child,) = enqueue(1, after=[parent])
    hold(store, [child], [], "by hand", NOW_S)
    (mine,) = claim(store)
    store.move([Move(parent, Event.FAIL, mine.attempt)], NOW_S)
    assert fields(store, child) == ["canceled"]


def test_a_sweep_is_held_as_a_whole(store: Store, queue: Queue) -> None:
    sweep(queue, 3)
    assert sorted_out(store, ["s", "1", "1_0"]) == ([1], ["1_0"])
    assert hold(store, [], [1, 5], "by hand", NOW_S)[2:] == ([1], [5])
    assert members(store) == []
    (why,) = explain(store, queue.settings, queue.views(["1_0"]), NOW_S)
    assert why.conclusion == SweepHeld(1, "by hand")
    sweep(queue, 4)  # what its user holds stays held
    assert members(store) == []
    assert release_sweeps(store, [1, 5]) == [1]
    assert len(members(store)) == 4


def test_a_sweep_of_which_enough_run_is_told(store: Store, queue: Queue) -> None:
    sweep(queue, 3, max_running=2)
    assert members(store) == ["1_0", "1_1"]
    (why,) = explain(store, queue.settings, queue.views(["1_2"]), NOW_S)
    assert why.conclusion == SweepFull(1, 2, 2)


def test_a_paused_queue_gives_nothing_out(store: Store, queue: Queue, enqueue: Enqueue) -> None:
    (job,) = enqueue(1)
    assert (store.pause("for the night"), store.pause("still")) == ("", "for the night")
    assert (claim(store), store.peek().heads) == ([], ())
    (why,) = explain(store, queue.settings, queue.views([job]), NOW_S)
    assert why.conclusion == Paused("still")
    assert queue.glance(0, 9).paused == "still"
    assert store.pause("") == "still"
    assert len(claim(store)) == 1


def test_each_sent_twice_changes_nothing_twice(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(queue, 1)
    for number, (send, reply) in enumerate(
        [
            (lambda: hold_sweeps(store, [1], "why"), [1]),
            (lambda: release_sweeps(store, [1]), [1]),
            (lambda: store.pause("why"), ""),
            (lambda: store.pause(""), "why"),
        ]
    ):
        monkeypatch.setattr("mlq.store.operations.os.urandom", lambda n, b=number: bytes([b]) * n)
        assert [send(), send()] == [reply, reply]
