"""Members of sweeps in the queue: each is made once, and stands for itself in one job at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis
from store_fixtures import KEY, LAB01, NOW_S, Enqueue, fields

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError, JobNotFoundError
from mlq.jobs.lifecycle import Event
from mlq.jobs.parents import Parents
from mlq.jobs.signing import verify
from mlq.jobs.spec import Code
from mlq.store.operations import Move, Operation
from mlq.store.replies import Claim
from mlq.store.store import Store
from mlq.store.sweeps import (
    Made,
    Seen,
    find_sweep,
    hold_sweeps,
    look_members,
    open_sweep,
    submit_members,
)
from mlq.submit.batch import check_all
from mlq.submit.members import CheckedMember, MemberSigner, submissions_of
from mlq.submit.submission import Submission
from mlq.sweeps.plan import PlannedMember, SweepPlan
from mlq.sweeps.report import SweepReport

AT = "2026-11-27T10:00:00.000000Z"
COMMON = Submission(cwd="/", python_env="", in_place=True)


def plan(*rates: str, name: str = "lr") -> SweepPlan:
    members = (PlannedMember({"lr": one}, ("train", "--lr", one), f"key-{one}") for one in rates)
    return SweepPlan(name, tuple(members), ("lr",))


def submit(queue: Queue, *rates: str, **options: Any) -> SweepReport:
    return queue.submit_sweep(plan(*rates), COMMON, **options)


def claim_members(store: Store, number: int = 1, count: int = 9) -> list[Claim]:
    return store.claim([(f"p0.c1.m2048.g0.v0.s{number}", count)], LAB01, 45, NOW_S)


def end(store: Store, claims: Sequence[Claim], event: Event, reason: str = "") -> None:
    said = {"mlq_reason": reason} if reason else {}
    store.move([Move(one.id, event, one.attempt, fields=said) for one in claims], NOW_S)


def states(store: Store, *ids: str) -> list[str]:
    return [fields(store, one)[0] for one in ids]


def test_a_new_sweep_takes_a_number_and_gives_its_members_indices(
    store: Store, queue: Queue, enqueue: Enqueue
) -> None:
    enqueue(2)
    report = submit(queue, "1", "2", "3")
    assert report.lines() == ["sweep 3 lr: 3 members: 3 new; 3 enqueued"]
    assert report.ids == ("3_0", "3_1", "3_2")
    assert enqueue(1) == ["4"]
    assert fields(store, "3_1", "description", "mlq_name") == ["queued", "train --lr 2", "lr"]


def test_members_are_claimed_as_they_were_signed(store: Store, queue: Queue) -> None:
    submit(queue, "1", "2")
    for number, one in enumerate(claim_members(store), 1):
        verify(KEY, one.spec.encode(), one.signature)
        spec = json.loads(one.spec)
        params = {"lr": str(number)}
        assert spec["member"] == {"name": "lr", "key": f"key-{number}", "params": params}
        assert one.class_name.endswith(".s1")


def test_they_share_a_template(store: Store, queue: Queue, admin: redis.Redis) -> None:
    submit(queue, *map(str, range(700)))
    ((_, uses),) = admin.hgetall("mlq:template_uses").items()
    assert int(uses) == 700


def test_enqueued_again_only_what_failed_was_canceled_is_new_or_missing_runs(
    store: Store, queue: Queue, admin: redis.Redis
) -> None:
    submit(queue, *"abcdefg")
    done, failed, running = claim_members(store, count=3)
    end(store, [done], Event.SUCCEED)
    end(store, [failed], Event.FAIL)
    queue.cancel(["1_3"])
    admin.delete("rq:job:1_4")  # as rq's tools do
    report = submit(queue, *"abcdefgh")
    (line,) = report.lines()
    assert line == (
        "sweep 1 lr: 8 members: 1 new, 1 done, 1 failed, 1 canceled, 1 missing, 1 running,"
        " 2 queued; 4 enqueued"
    )
    assert report.ids == ("1_7", "1_8", "1_9", "1_10")
    assert [fields(store, one, "description")[1] for one in report.ids] == [
        "train --lr b",
        "train --lr d",
        "train --lr e",
        "train --lr h",
    ]
    assert submit(queue, *"abcdefgh").lines() == [
        "sweep 1 lr: 8 members: 1 done, 1 running, 6 queued; 0 enqueued"
    ]
    assert states(store, "1_0", "1_1", running.id) == ["finished", "failed", "started"]
    for key in ("rq:queue:p0.c1.m2048.g0.v0.s1",):
        admin.lrem(key, 1, "1_4")
    admin.zrem("mlq:unended", "1_4")


def test_all_of_them_run_again_if_their_user_wants_it(store: Store, queue: Queue) -> None:
    submit(queue, "a", "b", "c")
    first, second = claim_members(store, count=2)
    end(store, [first], Event.SUCCEED)
    assert submit(queue, "a", "b", "c", again="code").ids == ()
    assert submit(queue, "a", "b", "c", again="all").ids == ("1_3",)
    assert states(store, "1_0", second.id, "1_2", "1_3") == [
        "finished",
        "started",
        "queued",
        "queued",
    ]


def coded(rates: Sequence[str], pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Submission.spec

    def spec(self: Submission, *args: Any) -> Any:
        code = Code(pack=pack * 64, project="/p")
        return replace(real(self, *args), code=code)

    monkeypatch.setattr(Submission, "spec", spec)


def test_members_done_with_other_code_are_named_and_left_alone(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        coded("ab", "1", patch)
        submit(queue, "a", "b", "c")
    end(store, claim_members(store, count=2), Event.SUCCEED)
    coded("ab", "2", monkeypatch)
    report = submit(queue, "a", "b", "c")
    assert report.lines() == [
        "sweep 1 lr: 3 members: 2 done, 1 queued; 0 enqueued",
        "  2 of the done ran other code: --again code runs them",
    ]
    assert submit(queue, "a", "b", "c", again="code").ids == ("1_3", "1_4", "1_5")
    assert fields(store, "1_2", "mlq_reason") == ["canceled", "replaced by 1_5"]
    assert submit(queue, "a", "b", "c", again="code").ids == ()


def test_two_shells_at_once_make_each_member_once(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one comes after the look of the first, before each of its batches."""
    rates = [str(one) for one in range(700)]
    real, others = submit_members, [rates[:100], rates[600:], []]

    def interrupted(*args: Any) -> Any:
        if others:
            monkeypatch.setattr("mlq.api.sweeps.submit_members", real)
            if rest := others.pop(0):
                made.extend(submit(queue, *rest).ids)
            monkeypatch.setattr("mlq.api.sweeps.submit_members", interrupted)
        return real(*args)

    made: list[str] = []
    monkeypatch.setattr("mlq.api.sweeps.submit_members", interrupted)
    made += submit(queue, *rates).ids
    assert sorted(made) == sorted(f"1_{one}" for one in range(700))
    commands = {fields(store, one, "description")[1] for one in made}
    assert len(commands) == 700


def test_a_client_that_died_has_made_some_and_the_next_makes_the_rest(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def killed(done: int, _of: int) -> None:
        raise KilledError

    rates = [str(one) for one in range(700)]
    queue.progress = killed
    with pytest.raises(KilledError):
        submit(queue, *rates)
    queue.progress = lambda _done, _of: None
    report = submit(queue, *rates)
    assert report.members == {"queued": 300, "new": 400}
    assert (report.ids[0], report.enqueued) == ("1_300", 400)


def made_of(store: Store, number: int, first: int, *seen: Seen) -> list[Made]:
    of = plan(*map(str, range(len(seen))))
    checked = check_all(submissions_of(of, COMMON), AT, 2048)
    members = [*map(CheckedMember, of.members, checked)]
    jobs = MemberSigner(number, of.name, KEY).sign(members, range(first, first + len(members)))
    return [Made(job, one.key, how) for job, one, how in zip(jobs, of.members, seen, strict=True)]


def test_each_operation_sent_twice_changes_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlq.store.operations.os.urandom", lambda n: b"x" * n)
    opened = [open_sweep(store, "lr", {"max_fails": "3"}, AT) for _ in range(2)]
    assert opened[0] == opened[1]
    monkeypatch.setattr("mlq.store.operations.os.urandom", lambda n: b"y" * n)
    made = made_of(store, 1, 0, Seen(-1), Seen(-1))
    assert [submit_members(store, 1, 0, made, AT) for _ in range(2)] == [None, None]
    assert look_members(store, 1, ["key-0", "key-1", "other"])[0][2] == Seen(-1)
    assert look_members(store, 1, [])[1] == 2


@pytest.mark.parametrize(
    "seen",
    [Seen(-1), Seen(0, "failed"), Seen(0, ""), Seen(1, "queued")],
    ids=["unknown", "another state", "gone", "another job"],
)
def test_a_batch_that_saw_anything_else_is_refused_whole(store: Store, seen: Seen) -> None:
    open_sweep(store, "lr", {}, AT)
    assert submit_members(store, 1, 0, made_of(store, 1, 0, Seen(-1)), AT) is None
    later = made_of(store, 1, 1, seen, Seen(-1))
    assert submit_members(store, 1, 1, later, AT) == 1
    assert len(look_members(store, 1, ["key-0", "key-1"])[0]) == 2
    assert store.reads.rows(("status",), ["1_1", "1_2"]) == []


def test_one_that_has_started_meanwhile_is_not_replaced(store: Store, queue: Queue) -> None:
    submit(queue, "0")
    claim_members(store)
    made = made_of(store, 1, 1, Seen(0, "started"))
    assert submit_members(store, 1, 1, made, AT) == 1


def test_members_that_come_after_no_job_are_not_made(store: Store, queue: Queue) -> None:
    with pytest.raises(JobNotFoundError):
        queue.submit_sweep(plan("a"), COMMON.coming_after(Parents(("77",))))


def test_what_cannot_be_used_is_refused_before_anything_is_made(
    store: Store, queue: Queue, admin: redis.Redis
) -> None:
    for wrong in ({"again": "some"}, {"max_running": -1}, {"max_fails": 10**9}):
        with pytest.raises(InvalidInputError):
            submit(queue, "a", **wrong)
    with pytest.raises(InvalidInputError):
        submit(queue, "a\0")
    with pytest.raises(InvalidInputError):
        submit(queue)
    assert admin.keys("mlq:*") == []


def test_no_more_run_than_may_and_that_can_be_changed(store: Store, queue: Queue) -> None:
    submit(queue, "a", "b", "c", "d", max_running=2)
    first, _ = claim_members(store)
    assert claim_members(store) == []
    assert store.peek().heads == ()
    end(store, [first], Event.SUCCEED)
    assert len(claim_members(store)) == 1
    submit(queue, "a", "b", "c", "d", max_running=0)
    assert len(claim_members(store)) == 1


def test_the_rest_is_held_if_the_first_ends_are_failures(store: Store, queue: Queue) -> None:
    submit(queue, "a", "b", "c", max_fails=2)
    end(store, claim_members(store, count=1), Event.FAIL, "exit 1: no such file")
    end(store, claim_members(store, count=1), Event.FAIL, "exit 1: no GPU")
    assert claim_members(store) == []
    report = submit(queue, "a", "b", "c")
    assert report.let_go == "the first 2 to end were failures, the last: exit 1: no GPU"
    assert len(claim_members(store)) == 3


def test_a_look_tells_a_hold_by_hand_from_one_after_failures(store: Store, queue: Queue) -> None:
    submit(queue, "1", "2")
    end(store, claim_members(store, count=1), Event.FAIL)
    assert hold_sweeps(store, [1], "by hand") == [1]
    looked = find_sweep(store, "lr")
    assert looked == open_sweep(store, "lr", {}, AT) == (1, "")


@pytest.mark.parametrize("max_fails", [0, 3])
def test_fewer_failures_or_one_good_end_hold_nothing(
    store: Store, queue: Queue, max_fails: int
) -> None:
    submit(queue, *"abcdefgh", max_fails=max_fails)
    end(store, claim_members(store, count=2), Event.FAIL)
    end(store, claim_members(store, count=1), Event.SUCCEED)
    end(store, claim_members(store, count=4), Event.FAIL)
    assert len(claim_members(store)) == 1


def test_what_finished_stays_done_though_it_is_forgotten(
    store: Store, queue: Queue, admin: redis.Redis
) -> None:
    submit(queue, "a", "b", "c")
    done, failed = claim_members(store, count=2)
    end(store, [done], Event.SUCCEED)
    end(store, [failed], Event.FAIL)
    assert set(store.forget(-10)) == {done.id, failed.id}
    assert submit(queue, "a", "b", "c").members == {"done": 1, "missing": 1, "queued": 1}
    queue.cancel(["1_2", "1_3"])
    store.forget(-10)
    assert [key for key in admin.keys("mlq:*") if b"1" in key and b"reply" not in key] == []
    assert submit(queue, "a").number == 2


def test_the_time_that_members_took_is_noted(
    store: Store, queue: Queue, admin: redis.Redis
) -> None:
    submit(queue, "a", "b")
    (one,) = claim_members(store, count=1)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW_S + 90)) + ".5Z"
    store.move([Move(one.id, Event.SUCCEED, one.attempt, fields={"ended_at": at})], NOW_S)
    assert admin.hget("mlq:sweep:1", "took") == b"1"
    assert 89 <= float(admin.hget("mlq:sweep:1", "took_s")) <= 92


def test_an_id_that_looks_like_a_members_is_nobodys(store: Store, enqueue: Enqueue) -> None:
    enqueue(1)
    (reply,) = store.runner.run(Operation("look_members", {"number": "1", "keys": []}))
    assert reply["next"] == 0


def test_a_sweep_is_meant_by_its_number_and_its_name(
    store: Store, queue: Queue, enqueue: Enqueue
) -> None:
    (alone,) = enqueue(1)
    submit(queue, "a", "b")
    queue.cancel(["2_0"])
    submit(queue, "a", "b")
    for word in ("2", "lr", "1-2", "l*"):
        assert [one for one in queue.select([word]) if one != alone] == ["2_1", "2_2"]
    assert queue.select(["2_0"]) == ["2_0"]
    assert queue.select(["lr"], ["queued"]) == ["2_1", "2_2"]
    (later,) = enqueue(1, name="lr")
    assert queue.select(["lr"]) == [later]


def test_a_glance_shows_of_sweeps_their_counts_and_of_other_jobs_each(
    store: Store, queue: Queue, enqueue: Enqueue
) -> None:
    before = enqueue(2)
    submit(queue, "a", "b", "c", max_running=7)
    after = enqueue(2)
    ended = enqueue(1)
    queue.cancel(ended)
    end(store, claim_members(store, 3, 1), Event.SUCCEED)
    claim_members(store, 3, 1)
    seen = queue.glance(NOW_S - 99, 50)
    assert [job.id for job in seen.jobs] == [*before, *after, *ended]
    (sweep,) = seen.sweeps
    assert (sweep.number, sweep.name, sweep.members, sweep.max_running) == (3, "lr", 3, 7)
    counts = {state: number for state, number in sweep.counts.items() if number}
    assert counts == {"finished": 1, "started": 1, "queued": 1}
    assert seen.counts is None
    assert queue.glance(time.time() + 99, 50).sweeps == seen.sweeps


def test_of_many_others_a_glance_counts_none_that_is_a_member(
    store: Store, queue: Queue, enqueue: Enqueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlq.store.reads.PAGE", 3)
    submit(queue, *"abcdefgh")
    enqueue(5)
    seen = queue.glance(NOW_S - 99, 50)
    assert [job.id for job in seen.jobs] == ["2", "3", "4"]
    assert seen.counts is not None
    assert (seen.counts["queued"], seen.counts["ended"]) == (5, 0)


def test_a_member_shows_its_parameters(store: Store, queue: Queue) -> None:
    submit(queue, "a")
    (job,) = queue.views(["1_0"])
    assert (job.sweep, job.name, job.params) == (1, "lr", {"lr": "a"})


@pytest.mark.one_server
def test_a_sweep_that_wants_a_type_of_gpu_is_limited_like_any(store: Store, queue: Queue) -> None:
    wanted = replace(COMMON, gpus=1, gpu_type="a100")
    queue.submit_sweep(plan("a", "b", "c"), wanted, max_running=2)
    (head,) = store.peek().heads
    assert head.class_name == "p0.c1.m2048.g1.v0.ta100.s1"
    assert len(store.claim([(head.class_name, 3)], LAB01, 45, time.time())) == 2
    assert store.peek().heads == ()
