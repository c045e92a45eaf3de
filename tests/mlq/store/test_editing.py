"""Jobs that wait are changed in place: signed anew, and only if the same text still waits."""

from __future__ import annotations

import json

import pytest
import redis
from store_fixtures import KEY, LAB01, NOW_S, Enqueue, claim, fields

from mlq.api.editing import Changes, edit
from mlq.api.queue import Queue
from mlq.errors import InvalidInputError, SignatureError
from mlq.jobs.lifecycle import Event
from mlq.jobs.signing import verify
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.submit.submission import Submission
from mlq.sweeps.plan import PlannedMember, SweepPlan


def test_what_waits_is_signed_anew_and_keeps_its_place(store: Store, enqueue: Enqueue) -> None:
    one, two, three = enqueue(3, time="1h")
    done = edit(store, KEY, [two, one, three], Changes(mem="4G", time="never"))
    assert done.jobs == [two, one, three]
    assert fields(store, one, "timeout", "mlq_time_limit_s") == ["queued", "-1", ""]
    claims = store.claim([("p0.c1.m4096.g0.v0", 9)], LAB01, 45, NOW_S)
    assert [found.id for found in claims] == [one, two, three]
    for found in claims:
        verify(KEY, found.spec.encode(), found.signature)
        assert json.loads(found.spec)["request"]["mem_mib"] == 4096


def test_what_is_like_that_already_runs_or_has_ended_stays_as_it_is(
    store: Store, enqueue: Enqueue
) -> None:
    running, waiting = enqueue(2)
    claim(store)
    (urgent,) = enqueue(1, priority=3)
    done = edit(store, KEY, [running, waiting, urgent], Changes(priority=3))
    assert done == ([waiting], [urgent], [running])


def test_a_job_that_another_changed_meanwhile_is_left_alone(
    store: Store, enqueue: Enqueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = enqueue(1)
    real = Changes.changed

    def slow(self: Changes, spec: object) -> object:
        if self.cores == 2:
            assert edit(store, KEY, [job], Changes(cores=3)).jobs == [job]
        return real(self, spec)  # type: ignore[arg-type]

    monkeypatch.setattr(Changes, "changed", slow)
    assert edit(store, KEY, [job], Changes(cores=2)).others == [job]
    assert fields(store, job, "origin") == ["queued", "p0.c3.m2048.g0.v0"]


@pytest.mark.parametrize("how", ["held", "scheduled", "deferred"])
def test_jobs_that_wait_for_something_else_are_changed_too(
    store: Store, enqueue: Enqueue, admin: redis.Redis, how: str
) -> None:
    (job,) = enqueue(1)
    if how == "deferred":
        (job,) = enqueue(1, after=[job])
    elif how == "held":
        store.move([Move(job, Event.HOLD, fields={"mlq_held": "why"})], NOW_S)
    else:
        (mine,) = claim(store)
        store.move([Move(job, Event.RETRY, mine.attempt, pause_s=60)], NOW_S)
        (due,) = admin.zrange("rq:scheduled:p0.c1.m2048.g0.v0", 0, -1, withscores=True)
    assert edit(store, KEY, [job], Changes(priority=1)).jobs == [job]
    if how == "scheduled":
        assert admin.zrange("rq:scheduled:p1.c1.m2048.g0.v0", 0, -1, withscores=True) == [due]


def test_a_member_stays_in_its_sweep(store: Store, queue: Queue, admin: redis.Redis) -> None:
    members = (PlannedMember({"a": "1"}, ("true",), "k"),)
    queue.submit_sweep(
        SweepPlan("s", members, ()), Submission(cwd="/", python_env="", in_place=True)
    )
    assert edit(store, KEY, ["1_0"], Changes(cores=2)).jobs == ["1_0"]
    (found,) = store.claim([("p0.c2.m2048.g0.v0.s1", 1)], LAB01, 45, NOW_S)
    verify(KEY, found.spec.encode(), found.signature)
    assert list(admin.hgetall("mlq:template_uses").values()) == [b"1"]


def test_what_cannot_be_is_refused(store: Store, enqueue: Enqueue, admin: redis.Redis) -> None:
    (job,) = enqueue(1)
    for wrong in (Changes(vram="6G"), Changes(cores=0), Changes(mem="much"), Changes(time="x")):
        with pytest.raises(InvalidInputError):
            edit(store, KEY, [job], wrong)
    admin.hset(f"rq:job:{job}", "mlq_signature", "other")
    with pytest.raises(SignatureError):
        edit(store, KEY, [job], Changes(cores=2))


@pytest.mark.one_server
def test_machines_and_the_type_of_gpus_are_changed(store: Store, enqueue: Enqueue) -> None:
    (job,) = enqueue(1, gpus=1, machine="gpu*", exclude="gpu03")
    for changes, origin in (
        (Changes(gpu_type="RTX 3090"), ".g1.v0.trtx-3090@gpu*,!gpu03"),
        (Changes(exclude="gpu04"), ".g1.v0.trtx-3090@gpu*,!gpu04"),
        (Changes(machine="lab01,lab02", exclude="none"), ".g1.v0.trtx-3090@lab01,lab02"),
        (Changes(machine="any", gpu_type="any"), ".g1.v0"),
    ):
        assert edit(store, KEY, [job], changes).jobs == [job]
        assert fields(store, job, "origin")[1] == f"p0.c1.m2048{origin}"
    (plain,) = enqueue(1)
    with pytest.raises(InvalidInputError, match="asks for no GPU"):
        edit(store, KEY, [plain], Changes(gpu_type="a100"))
