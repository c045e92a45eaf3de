"""The user: enqueues, cancels and retries at any time, over a link that fails like any other."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from mlq.api.many import held_jobs, release
from mlq.api.queue import Queue
from mlq.errors import JobNotFoundError, QueueUnreachableError
from mlq.store.store import Store
from mlq.submit.submission import Submission
from simulation.machine import Machine, requeues
from simulation.queue_host import SimClient
from simulation.workers import KEY

if TYPE_CHECKING:
    from simulation.world import World


class User:
    """One person at a laptop, who knows what was acknowledged."""

    def __init__(self, world: World) -> None:
        self._world, self._engine, self._rng = world, world.engine, world.engine.rng
        self.laptop = Machine("laptop", self._engine, world.seed, world.truth)
        client = SimClient(self._engine, world.queue_host, self.laptop.link)
        self._queue = Queue(
            Store(client, scripts=world.scripts),
            world.settings_of(self.laptop),
            key=KEY,
            clock=self.laptop.utc_s,
            sleep=self._engine.sleep,
        )
        self._order = Random(f"{world.seed}/order")
        self._left = self._rng.randint(4, 14)
        self.pause_s = self._rng.choice((20.0, 60.0))
        self.done = False
        self._ids: list[str] = []
        self._engine.spawn(self.laptop, self._run, "user")
        self._engine.spawn(self.laptop, self._release, "user who lets go")
        if requeues(world.seed):
            self._engine.spawn(self.laptop, self._requeue, "user who queues again")

    def _run(self) -> None:
        while self._left:
            self._engine.sleep(self._rng.expovariate(1 / self.pause_s))
            act = self._rng.choices((self._enqueue, self._cancel, self._retry), (6, 2, 1))[0]
            try:
                act()
            except QueueUnreachableError:
                self._engine.note("the queue does not answer: not acknowledged")
            except JobNotFoundError as error:
                self._engine.note(error.what)
            self._left -= 1
        self.done = True

    def _release(self) -> None:
        """Let go what is held, from time to time: simulated commands fail by chance."""
        store = self._queue.store
        while True:
            self._engine.sleep(self._rng.expovariate(1 / 240.0))
            try:
                held = held_jobs(store)
                if held:
                    self._engine.note(f"releases {', '.join(release(store, held, 0.0)[0])}")
            except QueueUnreachableError:
                self._engine.note("the queue does not answer: not released")

    def _requeue(self) -> None:
        """Queue a job again, from time to time."""
        rng = Random(f"{self._world.seed}/requeue")
        while True:
            self._engine.sleep(rng.expovariate(1 / 120.0))
            if not self._ids:
                continue
            job_id = rng.choice(self._ids)
            try:
                self._world.truth.requeued.add(job_id)
                done = self._queue.requeue([job_id])
            except QueueUnreachableError:
                continue
            if done.stopping:
                self._engine.note(f"queues job {job_id} again")

    def _enqueue(self) -> None:
        rng, order = self._rng, self._order
        count = rng.choice((1, 1, 2, 4))
        condition = order.choice(("", "", "ok:", "any:", "failed:"))
        is_one_of_many = order.random() < 0.1
        submission = Submission(
            argv=("train",),
            cores=rng.choice((1, 1, 2, 4)),
            retries=rng.choice((0, 0, 1)),
            priority=rng.choice((0, 0, 5)),
            time=rng.choice((None, None, "2m", "10m")),
            after=[condition + rng.choice(self._ids)] if self._ids and rng.random() < 0.2 else (),
            after_any=rng.random() < 0.5,
            name="train" if is_one_of_many else "",
            singleton=is_one_of_many,
            hold=order.random() < 0.05,
            cwd="/",
            python_env="",
        )
        lapses = self._world.truth.lapses
        jobs = self._queue.submit([submission] * count)
        self._ids += [job.id for job in jobs]
        if lapses != self._world.truth.lapses:
            self._engine.note("the server forgets while its reply is on its way: not acknowledged")
            return
        self._world.truth.acknowledged.update(job.id for job in jobs)
        self._world.loss.acknowledged([job.id for job in jobs])
        self._engine.note(f"enqueues {', '.join(job.id for job in jobs)}")

    def _cancel(self) -> None:
        if self._ids:
            job_id = self._rng.choice(self._ids)
            canceled, stopping = self._queue.cancel([job_id])
            said = "canceled" if canceled else "is being stopped" if stopping else "had ended"
            self._engine.note(f"cancels job {job_id}: {said}")

    def _retry(self) -> None:
        if self._ids:
            job_id = self._rng.choice(self._ids)
            queued = self._queue.retry([job_id], finished=True).queued
            self._engine.note(f"retries job {job_id}: {'queued' if queued else 'has not ended'}")
