"""How each parent must have ended; jobs of one name after each other; jobs held at submission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import redis
from store_fixtures import CLASS, LAB01, NOW_S, Enqueue, fields

from mlq.api.many import release
from mlq.api.queue import Queue
from mlq.api.selecting import with_parents
from mlq.errors import InvalidInputError, JobNotFoundError
from mlq.jobs.lifecycle import BY_HAND, Event
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission
from mlq.sweeps.plan import PlannedMember, SweepPlan

pytestmark = pytest.mark.one_server
ALIKE = {"argv": ("true",), "cwd": "/", "python_env": ""}
After = Callable[..., str]


@pytest.fixture
def after(store: Store, enqueue: Enqueue) -> After:
    """after("failed:1", ...) -> the id of a new job that comes after these."""

    def make(*words: str, **options: object) -> str:
        one = Submission(**ALIKE, after=words, **options)  # type: ignore[arg-type]
        (job,) = enqueue(*with_parents(store, [one], lambda _: None))
        return job

    return make


def states(store: Store, *ids: str) -> list[str]:
    return [row[1] for row in store.reads.rows(("status",), ids)]


def end(store: Store, job_id: str, event: Event = Event.SUCCEED) -> None:
    (head,) = [one for one in store.peek().heads if one.id == job_id]
    (claim,) = store.claim([(head.class_name, 1)], LAB01, 45, NOW_S)
    assert claim.id == job_id
    assert store.move([Move(job_id, event, claim.attempt)], NOW_S).moved == (job_id,)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event.SUCCEED, ["queued", "queued", "canceled"]),
        (Event.FAIL, ["canceled", "queued", "queued"]),
        (Event.TIME_OUT, ["canceled", "queued", "queued"]),
        (Event.CANCEL, ["canceled", "queued", "queued"]),
    ],
)
@pytest.mark.parametrize("is_early", [True, False])
def test_each_condition_and_each_end(
    store: Store, enqueue: Enqueue, after: After, event: Event, expected: list[str], is_early: bool
) -> None:
    (parent,) = enqueue(1, priority=1)
    words = (f"ok:{parent}", f"any:{parent}", f"failed:{parent}")
    children = [after(one) for one in words] if is_early else []
    end(store, parent, event)
    children = children or [after(one) for one in words]
    assert states(store, *children) == expected
    if event is Event.SUCCEED:
        why = f"parent {parent} finished, and was to fail"
        assert fields(store, children[2], "mlq_reason", "mlq_refused_by")[1:] == [why, parent]


def test_conditions_are_mixed_in_one_job(store: Store, enqueue: Enqueue, after: After) -> None:
    one, two, three = enqueue(3, priority=1)
    child = after(one, f"any:{two}", f"failed:{three}")
    spec = fields(store, child, "dependency_ids", "mlq_conditions")
    assert spec[1:] == [
        f'["{one}", "{two}", "{three}"]',
        f'{{"{two}":"ended","{three}":"failed"}}',
    ]
    end(store, one)
    end(store, two, Event.FAIL)
    assert states(store, child) == ["deferred"]
    end(store, three, Event.FAIL)
    assert states(store, child) == ["queued"]


def test_only_ends_in_whatever_way_is_what_it_always_was(
    store: Store, enqueue: Enqueue, after: After
) -> None:
    """So workers of an older mlq understand such jobs."""
    one, two = enqueue(2)
    child = after(f"any:{one}", f"any:{two}")
    assert fields(store, child, "mlq_conditions", "allow_dependency_failures")[1:] == ["", "1"]


def test_a_job_that_was_to_run_after_a_failure_comes_back_with_its_parent(
    store: Store, enqueue: Enqueue, after: After, queue: Queue
) -> None:
    (parent,) = enqueue(1, priority=1)
    child = after(f"failed:{parent}")
    end(store, parent)
    assert states(store, child) == ["canceled"]
    assert queue.retry([parent], finished=True).revived == {child: parent}
    assert states(store, child) == ["deferred"]
    end(store, parent, Event.FAIL)
    assert states(store, child) == ["queued"]


def test_conditions_that_exclude_each_other_and_unknown_parents_are_refused(
    store: Store, enqueue: Enqueue, after: After
) -> None:
    (parent,) = enqueue(1, priority=1)
    with pytest.raises(InvalidInputError, match="would never run"):
        after(parent, f"failed:{parent}")
    with pytest.raises(JobNotFoundError, match="no job 99"):
        after("failed:99")
    (named,) = enqueue(1, name="prep", priority=1)
    end(store, parent)
    end(store, named)
    with pytest.raises(InvalidInputError, match="a job after the failure of prep would never run"):
        after("failed:prep")
    assert states(store, after("ok:prep")) == ["queued"]


def sweep(queue: Queue, *keys: str, is_new: bool = False, **options: object) -> list[str]:
    members = tuple(PlannedMember({"x": one}, ("true",), one) for one in keys)
    plan = SweepPlan("lr", members, ("x",))
    like = Submission(**ALIKE, priority=1, **options)  # type: ignore[arg-type]
    if is_new:
        report = queue.submit_members(plan, [replace(like, name="lr")] * len(keys))
    else:
        report = queue.submit_sweep(plan, like)
    return [f"{report.number}_{at}" for at in range(len(keys))]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([Event.SUCCEED, Event.SUCCEED], ["queued", "queued", "canceled"]),
        ([Event.SUCCEED, Event.FAIL], ["canceled", "queued", "queued"]),
        ([Event.FAIL, Event.SUCCEED], ["canceled", "queued", "queued"]),
    ],
)
def test_of_a_whole_sweep_one_must_have_failed_once_all_have_ended(
    store: Store, queue: Queue, after: After, events: list[Event], expected: list[str]
) -> None:
    first, second = sweep(queue, "a", "b")
    number = first.partition("_")[0]
    children = [after(number), after(f"any:{number}"), after(f"failed:{number}")]
    assert fields(store, children[2], "mlq_conditions")[1] == f'{{"{number}":"failed"}}'
    end(store, first, events[0])
    assert states(store, *children[1:]) == ["deferred", "deferred"]
    end(store, second, events[1])
    assert states(store, *children) == expected
    again = [after(f"any:{number}"), *([after("failed:lr")] if Event.FAIL in events else [])]
    assert states(store, *again) == ["queued"] * len(again)
    if expected[2] == "canceled":
        assert fields(store, children[2], "mlq_reason")[1] == (
            f"parent {number} finished, and was to fail"
        )
        queue.retry([first], finished=True)
        assert states(store, children[2]) == ["deferred"]


def test_singletons_run_one_after_another_however_they_end(store: Store, enqueue: Enqueue) -> None:
    (first,) = enqueue(1, name="train", priority=1)
    three = enqueue(3, name="train", singleton=True, priority=1)
    (other,) = enqueue(1, name="other", singleton=True)
    assert states(store, first, *three, other) == ["queued", *["deferred"] * 3, "queued"]
    assert fields(store, three[0], "mlq_behind")[1] == first
    for number, (job, event) in enumerate(
        zip([first, *three], [Event.SUCCEED, Event.FAIL, Event.CANCEL, Event.SUCCEED], strict=True)
    ):
        assert states(store, *three[number:]) == ["deferred"] * (3 - number)
        end(store, job, event)
    assert fields(store, three[2], "mlq_behind")[1] == ""


def test_a_singleton_whose_predecessor_is_canceled_waits_for_the_one_before(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    (first,) = enqueue(1, name="train", priority=1)
    two, three = enqueue(2, name="train", singleton=True)
    queue.cancel([two])
    assert states(store, three) == ["deferred"]
    assert fields(store, three, "mlq_behind")[1] == first
    end(store, first)
    assert states(store, three) == ["queued"]


def test_a_singleton_that_is_run_again_waits_for_what_runs(
    store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    one, two, three = enqueue(3, name="train", singleton=True)
    end(store, one, Event.FAIL)
    queue.retry([one])  # two is in line already
    assert states(store, one, two, three) == ["deferred", "queued", "deferred"]
    end(store, two)
    assert states(store, one, two, three) == ["queued", "finished", "deferred"]
    end(store, one)
    assert states(store, three) == ["queued"]


def test_a_singleton_waits_for_its_other_parents_too(
    store: Store, enqueue: Enqueue, after: After
) -> None:
    (parent,) = enqueue(1, priority=2)
    (first,) = enqueue(1, name="train", priority=1)
    child = after(f"failed:{parent}", name="train", singleton=True)
    end(store, parent, Event.FAIL)
    assert states(store, child) == ["deferred"]
    end(store, first, Event.FAIL)
    assert states(store, child) == ["queued"]


def test_a_thousand_singletons_come_and_go_quickly(store: Store, enqueue: Enqueue) -> None:
    ids = enqueue(1000, name="train", singleton=True)
    assert states(store, *ids[:2], ids[-1]) == ["queued", "deferred", "deferred"]
    for one in ids[:20]:
        end(store, one)
    assert states(store, ids[20], ids[21]) == ["queued", "deferred"]


def test_a_singleton_sweep_comes_after_all_else_of_its_name_and_not_after_itself(
    store: Store, queue: Queue, enqueue: Enqueue
) -> None:
    (single,) = enqueue(1, name="lr", priority=1)
    plain = sweep(queue, "a", "b", is_new=True)
    one, two, three = sweep(queue, "a", "b", "c", is_new=True, singleton=True)
    (last,) = enqueue(1, name="lr", singleton=True, priority=1)
    assert states(store, *plain, one, two, three, last) == ["queued"] * 2 + ["deferred"] * 4
    for job in (single, *plain):
        assert states(store, one) == ["deferred"]
        end(store, job, Event.FAIL)
    assert states(store, one, two, three, last) == [*["queued"] * 3, "deferred"]
    queue.cancel([two])
    end(store, one)
    assert states(store, last) == ["deferred"]
    end(store, three, Event.FAIL)
    assert states(store, last) == ["queued"]


def test_a_singleton_needs_a_name(store: Store, queue: Queue) -> None:
    with pytest.raises(InvalidInputError, match="--singleton needs --name"):
        queue.submit([Submission(**ALIKE, singleton=True)])


def test_a_job_is_held_at_submission_and_waits_for_its_parents_once_let_go(
    store: Store, enqueue: Enqueue, after: After, redis_client: redis.Redis
) -> None:
    (parent,) = enqueue(1)
    (plain,) = enqueue(1, hold=True)
    child = after(parent, hold=True)
    (late,) = enqueue(1, hold=True, start="2h")
    assert states(store, plain, child, late) == ["deferred"] * 3
    assert fields(store, plain, "mlq_held", "mlq_reason")[1:] == [BY_HAND, BY_HAND]
    assert redis_client.llen(f"rq:queue:{CLASS}") == 1
    assert release(store, [plain, child, late], NOW_S) == ([plain, child, late], [])
    assert states(store, plain, child, late) == ["queued", "deferred", "scheduled"]
    end(store, parent)
    assert states(store, child) == ["queued"]


def test_members_of_a_sweep_are_held_at_submission(store: Store, queue: Queue) -> None:
    plan = SweepPlan("lr", (PlannedMember({"x": "1"}, ("true",), "a"),), ())
    queue.submit_sweep(plan, Submission(**ALIKE, hold=True))
    (seen,) = store.reads.sweeps(["lr"])
    assert seen.counts["held"] == 1
