"""Everything at random: whatever happens in whatever order, the keys agree."""

from __future__ import annotations

from typing import ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from keyspace import problems
from store_fixtures import LAB01, LAB02, NOW_S, RUNNING_EVENTS, Enqueue

from mlq.api.held import hold
from mlq.api.many import release
from mlq.api.queue import Queue
from mlq.jobs.lifecycle import ENDED, Event
from mlq.store.operations import Claimant, Move
from mlq.store.store import Store
from mlq.submit.submission import Submission

pytestmark = pytest.mark.slow


class Life(RuleBasedStateMachine):
    """Jobs are submitted, claimed, ended, canceled and retried; stale attempts end, too."""

    store: ClassVar[Store]
    enqueue: ClassVar[Enqueue]
    admin: ClassVar[redis.Redis]
    queue: ClassVar[Queue]

    def __init__(self) -> None:
        super().__init__()
        self.admin.flushdb()
        self.ids: list[str] = []
        self.attempts: list[tuple[str, int]] = []

    @rule(
        cores=st.integers(1, 2),
        data=st.data(),
        after_any=st.booleans(),
        singleton=st.booleans(),
        hold=st.booleans(),
    )
    def submit(
        self, cores: int, data: st.DataObject, after_any: bool, singleton: bool, hold: bool
    ) -> None:
        parents = data.draw(
            st.lists(st.sampled_from(self.ids), max_size=2, unique=True)
            if self.ids
            else st.just([])
        )
        job = Submission(
            argv=("true",),
            cwd="/",
            python_env="",
            cores=cores,
            after=parents,
            after_any=after_any,
            conditions=dict.fromkeys(parents[:1], data.draw(st.sampled_from(["ended", "failed"]))),  # type: ignore[arg-type]
            name="train" if singleton else "",
            singleton=singleton and data.draw(st.booleans()),
            hold=hold,
        )
        self.ids += self.enqueue(job)

    @rule(who=st.sampled_from([LAB01, LAB02]))
    def claim(self, who: Claimant) -> None:
        fits = [(head.class_name, 2) for head in self.store.peek().heads]
        self.attempts += [(one.id, one.attempt) for one in self.store.claim(fits, who, 45, NOW_S)]

    @rule(
        event=st.sampled_from([one for one in RUNNING_EVENTS if one is not Event.HOLD]),
        data=st.data(),
    )
    def end(self, event: Event, data: st.DataObject) -> None:
        if self.attempts:
            job, attempt = data.draw(st.sampled_from(self.attempts))
            self.store.move([Move(job, event, attempt, lost_on="lab01")], NOW_S)

    @rule(data=st.data(), again=st.booleans())
    def ask(self, data: st.DataObject, again: bool) -> None:
        if self.ids:
            chosen = data.draw(st.lists(st.sampled_from(self.ids), max_size=3, unique=True))
            (self.queue.retry if again else self.queue.cancel)(chosen)

    @rule(data=st.data(), lets_go=st.booleans())
    def hold(self, data: st.DataObject, lets_go: bool) -> None:
        if self.ids:
            chosen = data.draw(st.lists(st.sampled_from(self.ids), max_size=3, unique=True))
            if lets_go:
                release(self.store, chosen, NOW_S)
            else:
                hold(self.store, chosen, [], "held", NOW_S)

    @invariant()
    def sound(self) -> None:
        assert problems(self.admin) == []
        rows = self.store.reads.rows(("status", "mlq_attempt"), self.ids)
        assert len(rows) == len(self.ids)
        waiting = {row[0] for row in rows if row[1] == "deferred"}
        held = {row[0] for row in self.store.reads.rows(("status", "mlq_held"), self.ids) if row[2]}
        for job in waiting:
            pending = self.admin.smembers(f"rq:job::{job}:dependencies")
            assert pending or job in held, f"{job} waits for nothing"
            for parent in pending:
                state = self.admin.hget(b"rq:job:" + parent, "status")
                assert state is not None
                assert state.decode() not in ENDED, f"{job} waits for what has ended"
            assert job not in self._waited_for(job), f"{job} waits for itself"

    def _waited_for(self, job: str) -> set[str]:
        found, todo = set[str](), [job]
        while todo:
            new = self.admin.smembers(f"rq:job::{todo.pop()}:dependencies")
            todo += [one.decode() for one in new if one.decode() not in found]
            found |= {one.decode() for one in new}
        return found


@pytest.mark.one_server
def test_whatever_happens_in_whatever_order_the_keys_agree(
    store: Store, enqueue: Enqueue, admin: redis.Redis, queue: Queue
) -> None:
    parts = {"store": store, "enqueue": staticmethod(enqueue), "admin": admin, "queue": queue}
    run_state_machine_as_test(
        type("Here", (Life,), parts),
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
