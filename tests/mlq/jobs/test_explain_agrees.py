"""Explain and the worker are asked about the same situations, and give the same answer."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_fixtures import Enqueue

from mlq.api.explaining import Explanation, explain
from mlq.api.queue import Queue
from mlq.jobs.explain import AskedJob, Fits, Situation, judge
from mlq.jobs.lifecycle import Event
from mlq.jobs.machine_state import FRESH_S
from mlq.jobs.needs import word_of
from mlq.jobs.placement import RunningAttempt
from mlq.jobs.request import JobClass, Request
from mlq.jobs.reservations import Contender
from mlq.machines.said import offer_of, state_of
from mlq.store.operations import Claimant, Move, claim_operation
from mlq.store.replies import Claim, Head, Waiting
from mlq.store.store import Store
from mlq.submit.submission import Submission
from mlq_worker.agent.absences import Absences
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.schedule import PlanInput, plan
from mlq_worker.ipc.causes import Cause, Kind

LEASE_S = 45.0
SMALL = Request(1, 1024)
Records = Mapping[str, tuple[float, dict[str, Any]]]
_KINDS = {"f": Kind.FOLDER, "e": Kind.ENVIRONMENT, "c": Kind.COMMAND}


def worker_lacks(machine: str, machines: Records) -> Absences:
    """What the worker of a machine knows of what is missing here and there."""
    absences = Absences(machine)
    for number, lack in enumerate(machines[machine][1]["lacks"]):
        attempt = LocalAttempt((f"9{number}", 1), "", SMALL, (), History(), False, 0.0, None)
        attempt.needs = lack["word"]
        cause = Cause(_KINDS[lack["word"][0]], "/data")
        at = "2026-11-26T18:00:00.000000Z"
        attempt.result = AttemptResult(
            attempt.attempt[0], 1, machine, "unstartable", 127, "missing", "", at, cause=cause
        )
        absences.see([attempt], 0.0)
    absences.compare(machines, LEASE_S)
    return absences


@st.composite
def machines(draw: st.DrawFn) -> Records:
    found: dict[str, tuple[float, dict[str, Any]]] = {}
    for name in ("lab01", "lab02", "gpu07")[: draw(st.integers(1, 3))]:
        cores = draw(st.integers(1, 8))
        gpus = [
            {
                "uuid": f"GPU-{i}",
                "free_mib": draw(st.sampled_from([0, 4000, 8000])),
                "total_mib": 8000,
            }
            for i in range(draw(st.integers(0, 2)))
        ]
        words = draw(st.sets(st.sampled_from(["f1", "e1"])))
        found[name] = (
            draw(st.sampled_from([1.0, LEASE_S + 1])),
            {
                "cores_total": cores,
                "cores_free": draw(st.integers(0, cores)),
                "mem_total_mib": 8000,
                "mem_free_mib": draw(st.sampled_from([1000, 8000])),
                "gpus": gpus,
                "lacks": [
                    {"word": word, "missed_s_ago": draw(st.sampled_from([0.0, FRESH_S]))}
                    for word in sorted(words)
                ],
            },
        )
    return found


REQUESTS = st.builds(
    Request,
    cores=st.integers(1, 8),
    mem_mib=st.sampled_from([500, 4000]),
    gpus=st.sampled_from([0, 0, 1, 2]),
    vram_mib=st.sampled_from([0, 4000]),
    machine=st.sampled_from(["", "", "lab*"]),
)
HEADS = st.lists(
    st.builds(
        Head,
        class_name=st.builds(JobClass, st.integers(0, 1), REQUESTS).map(lambda one: one.name),
        id=st.sampled_from([str(number) for number in range(1, 50)]),
        length=st.just(1),
        enqueued_at=st.just(""),
        order=st.just(0.0),
        time_limit_s=st.sampled_from([None, 50.0, 500.0]),
        needs=st.sampled_from(["", "f1", "f1 e1"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=(lambda head: head.id, lambda head: head.class_name),
)
RUNNING = st.lists(
    st.builds(
        RunningAttempt,
        REQUESTS.map(lambda one: replace(one, gpus=0)),
        st.just(()),
        st.sampled_from([None, 0.0, 100.0, 1000.0]),
    ),
    max_size=2,
)


@settings(deadline=None)
@given(machines(), HEADS, st.data())
def test_a_job_fits_now_if_and_only_if_the_worker_would_claim_it(
    said: Records, heads: list[Head], data: st.DataObject
) -> None:
    holders = st.none() | st.sampled_from(sorted(said))
    drawn = {head.id: data.draw(holders) for head in heads}
    reservations = {job: machine for job, machine in drawn.items() if machine is not None}
    running = {name: data.draw(RUNNING) for name in said}
    jobs = [
        Contender.of(
            head.id,
            JobClass.parse(head.class_name, default_mem_mib=1),
            head.time_limit_s,
            head.needs,
        )
        for head in heads
    ]
    states = [state_of(name, *one) for name, one in said.items()]
    situation = Situation(states, LEASE_S, jobs, reservations, running)
    explained = {job.id: judge(AskedJob(job), situation) for job in jobs}
    for at, name in enumerate(said):
        if said[name][0] > LEASE_S:
            assert not any(explained[job.id][at].fits is Fits.NOW for job in jobs)
            continue
        absences = worker_lacks(name, said)
        offer = offer_of({**said[name][1], "machine": name})
        waiting = Waiting(tuple(heads), reservations)
        plan_input = PlanInput(waiting, offer, running[name], {}, {}, absences.words)
        made = plan(plan_input, math.inf, 1)
        left = absences.to_leave([head.class_name for head in heads], 1)
        claimed = {
            head.id
            for head in heads
            if head.class_name in dict(made.fits)
            and (made.only is None or head.id in made.only)
            and not set(head.needs.split()) & left.get(head.class_name, frozenset())
        }
        assert {job.id for job in jobs if explained[job.id][at].fits is Fits.NOW} == claimed
        kept = {job.id for job in jobs if explained[job.id][at].is_kept_free}
        assert kept == ({made.reserve} if made.reserve else set())


class Scene:
    """A queue with machines and jobs that chance has put together."""

    def __init__(self, seed: int, store: Store, enqueue: Enqueue) -> None:
        self.chance, self.store = random.Random(seed), store  # noqa: S311 - not a secret
        self.now_s = float(round(time.time()))  # as exact as text
        self.ids = enqueue(*(self._job() for _ in range(self.chance.randint(4, 8))))
        self.running: dict[str, list[RunningAttempt]] = {}
        names = ["lab01", "lab02", "lab03"][: self.chance.randint(1, 3)]
        for name in names:
            store.renew(name, [], LEASE_S, self.now_s)
        for name in names:
            self._record(name)
        for name in names[1:]:
            if self.chance.random() < 0.3:
                store.client.call("ZINCRBY", "mlq:machines", -600, name)
        self._lose_some(names)
        if self.chance.random() < 0.5:
            reserved = self.chance.choice([head.id for head in self._heads()])
            store.reserve_machine(reserved, self.chance.choice(names), 60)

    def _job(self) -> Submission:
        return Submission(
            argv=("true",),
            python_env="",
            cwd=self.chance.choice(["/", "/data"]),
            cores=self.chance.randint(1, 5),
            mem=100,
            priority=self.chance.choice([0, 0, 1]),
            time=self.chance.choice([None, "5m", "20m"]),
        )

    def _heads(self) -> list[Head]:
        """The heads in an order that does not depend on the server's own chance."""
        return sorted(self.store.peek().heads, key=lambda head: head.class_name)

    def _record(self, name: str) -> None:
        """Let a machine run a job or none, and lack a folder or nothing."""
        heads = self._heads()
        held: list[Claim] = []
        if heads and self.chance.random() < 0.5:
            head = self.chance.choice(heads)
            held = self.claim(name, [(head.class_name, 1)])
            limit_s = head.time_limit_s
            request = JobClass.parse(head.class_name, default_mem_mib=1).request
            self.running[name] = [RunningAttempt(request, (), limit_s)]
        used = sum(one.request.cores for one in self.running.get(name, []))
        total = self.chance.randint(4, 6)
        word = word_of(self.store.reads.rows(("status", "mlq_needs"), self.ids[:1])[0][2], "f")
        record = {
            "cores_total": total,
            "cores_free": max(0, total - used),
            "mem_total_mib": 9999,
            "mem_free_mib": 9999,
            "lacks": [{"word": word}] if self.chance.random() < 0.3 else [],
            "attempts": [[one.id, one.attempt] for one in held],
        }
        self.store.roles.record_machine(name, record, {"name": name})

    def _lose_some(self, names: list[str]) -> None:
        for head in self._heads():
            if self.chance.random() < 0.3:
                (claim,) = self.claim("elsewhere", [(head.class_name, 1)])
                lose = Move(claim.id, Event.LOSE, claim.attempt, avoid=self.chance.choice(names))
                self.store.move([lose], self.now_s, avoid_s=self.chance.choice([0, 600]))

    def claim(self, name: str, fits: Any, only: Any = None, lacks: Any = None) -> list[Claim]:
        who = Claimant(name, "boot", "supervisor")
        operation = claim_operation(fits, who, LEASE_S, self.now_s, only, lacks or {})
        (reply,) = self.store.runner.run(operation)
        return [Claim.from_reply(raw) for raw in reply["claims"] or ()]

    def turn(self, name: str) -> tuple[list[str], str | None]:
        """Let a machine's worker plan and claim; returns what it claimed and is reserved for."""
        said = self.store.reads.machines()
        absences = worker_lacks(name, said)
        offer = offer_of({**said[name][1], "machine": name})
        running = self.running.get(name, [])
        plan_input = PlanInput(self.store.peek(), offer, running, {}, {}, absences.words)
        made = plan(plan_input, math.inf, 1)
        left = absences.to_leave([one for one, _ in made.fits], 1)
        return [one.id for one in self.claim(name, made.fits, made.only, left)], made.reserve


@pytest.mark.parametrize("seed", range(60))
def test_what_a_claim_takes_is_what_explain_says_fits(
    seed: int, store: Store, enqueue: Enqueue, queue: Queue
) -> None:
    scene = Scene(seed, store, enqueue)
    heard = [name for name, (heard_s, _) in store.reads.machines().items() if heard_s < LEASE_S]
    heads = {head.id for head in store.peek().heads}
    name = scene.chance.choice(heard)
    jobs = queue.views(scene.ids)
    explained = dict(zip(scene.ids, explain(store, queue.settings, jobs, scene.now_s), strict=True))
    claimed, reserved = scene.turn(name)

    def fits(explanation: Explanation) -> bool:
        return any(one.machine == name and one.fits is Fits.NOW for one in explanation.judgements)

    fitting = [
        job
        for job in scene.ids
        # A machine that is kept free judges the heads of the classes only.
        if fits(explained[job]) and (reserved is None or job in heads)
    ]
    assert set(claimed) <= set(fitting)
    first = min(fitting, key=lambda job: explained[job].ahead, default=None)
    assert claimed[:1] == ([] if first is None else [first])
