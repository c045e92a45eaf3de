"""Redis's data are lost whole; later a simulated operator restores the queue from the results root.

Until then the server is there, empty, and then half restored: what runs must go on. After it, what
was acknowledged is there again. What changed after the last copy and left no trace on the root may
be lost; that is said in the documents, and here it is all that may be.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from mlq.copies.copy_format import Copy, parsed
from mlq.copies.keeper import LATEST, copies_dir
from mlq.files.layout import Layout
from mlq.files.strict_json import parse
from mlq.store.replies import Attempt
from mlq.store.store import Store
from mlq_worker.agent.attempt_result import AttemptResult, parse_result
from mlq_worker.agent.history import Patience
from mlq_worker.launcher.holder import Holder
from mlq_worker.rebuild.carry_out import add_missing, carry_out, only_missing
from mlq_worker.rebuild.plan import Plan, Terms, plan
from mlq_worker.rebuild.survey import Found, JobOnRoot, parse_job_file
from simulation.engine import Violation

if TYPE_CHECKING:
    from simulation.truth import Key
    from simulation.world import World

KEY = b"k" * 32
QUEUE = "sim"
_EVERY = 5  # one seed of so many loses its data
_CALM_S = 150.0
_MENDED_EVERY_S = 100.0


class _Interrupted(Exception):  # noqa: N818 - as a kill -9 is none
    """The restoring was killed."""


class DataLoss:
    """When the data are lost, if at all, and what must be so afterwards.

    Args:
        world: where.
    """

    def __init__(self, world: World) -> None:
        self._world, self._engine = world, world.engine
        # Of its own: the other faults of a seed stay what they are.
        self._rng = Random(f"{world.seed} data loss")
        self.is_planned = self._rng.random() < 1 / _EVERY
        self.lost = False
        self._copied_at = 0.0
        self._running: set[Key] = set()
        self._acknowledged_at: dict[str, float] = {}
        self._judged: set[Key] = set()
        if self.is_planned:
            self._engine.at(self._rng.uniform(40, 500), self._lose)

    # --- what happens ---------------------------------------------------------------------------

    def _lose(self) -> None:
        world, host, rng = self._world, self._world.queue_host, self._rng
        if host.down or host.is_exchanged:
            self._engine.after(5, self._lose)
            return
        lasts_s = rng.choice((rng.uniform(1, 30), rng.uniform(30, 300)))
        self._engine.here = None
        until = world.faults.begin("data lost", "Redis loses all of its data", lasts_s + 60)
        world.truth.check_ledger()
        self._running = {key for key in world.truth.claims if self._runs(key) and self._is(key)}
        host.lose()
        for worker in world.workers.values():
            self._engine.after(rng.uniform(0.01, 0.5), worker.unsubscribe)
        self.lost = True
        world.truth.replies.clear()
        world.faults.server_disturbed_until = until + _CALM_S
        world.user.laptop.link.cut_until = max(world.user.laptop.link.cut_until, until)
        self._engine.after(lasts_s * rng.random(), lambda: self._restore(killed=True))
        self._engine.after(lasts_s, lambda: self._restore(killed=False))

    def _runs(self, key: Key) -> bool:
        return key[1] in {number for _, number in self._world.truth.running(key[0])}

    def _is(self, key: Key) -> bool:
        """Whether the queue believes that this attempt runs."""
        fields = ("status", "mlq_attempt")
        status, attempt = self._world.queue_host.wire.call("HMGET", f"rq:job:{key[0]}", *fields)
        return (status, attempt) == (b"started", str(key[1]).encode())

    def _restore(self, *, killed: bool) -> None:
        world, host = self._world, self._world.queue_host
        if host.down:
            self._engine.after(1, lambda: self._restore(killed=killed))
            return
        host.settle()
        made = self.planned()
        store = Store(_Direct(world), scripts=world.scripts)

        def progress(*_: int) -> None:
            if killed:
                raise _Interrupted

        if killed:
            if not made.jobs:
                return
            made.jobs = made.jobs[: self._rng.randint(1, len(made.jobs))]
        self._engine.note("restores the queue" + (", and is killed" if killed else ""), "operator")
        settings = world.settings_of(world.machines[0])
        owned = Layout(settings.root, QUEUE)
        try:
            carry_out(store, owned, made, KEY, settings.dead_s, progress)
        except _Interrupted:
            return
        self._check()
        self.lost = False
        self._engine.after(_MENDED_EVERY_S, self._mend)

    def _mend(self) -> None:
        """Add what runs on a machine and the queue does not know, as the operator is told to."""
        self._engine.after(_MENDED_EVERY_S, self._mend)
        if self._world.queue_host.down:
            return
        store = Store(_Direct(self._world), scripts=self._world.scripts)
        made = only_missing(store, self.planned())
        if made.jobs:
            told = ", ".join(job.id for job in made.jobs)
            self._engine.note(f"restores what is unknown: {told}", "operator")
            add_missing(store, made)

    def planned(self) -> Plan:
        """What the product makes of the copy and the root."""
        settings = self._world.settings_of(self._world.machines[0])
        copy = self._copy()
        times = self._world.queue_host.asked_the_time
        self._copied_at = 0.0 if copy is None else times[round(copy.header.at_s, 6)]
        now_s = self._world.queue_host.clock_s
        return plan(copy, self._found(), Terms(KEY, now_s, Patience.of(settings), 30000))

    # --- what lies on the root ------------------------------------------------------------------

    def _latest(self, path: Path) -> bytes | None:
        versions = self._world.nfs.files.get(path)
        return versions[-1][2] if versions else None

    def _copy(self) -> Copy | None:
        raw = self._latest(copies_dir(self._world.layout) / LATEST)
        return None if raw is None else parsed(raw, "copy")

    def _found(self) -> Found:
        found, layout = Found(), self._world.layout
        for job_id, text in self._world.nfs.job_files.items():
            attempts = sorted(self._attempts(job_id))
            results = {}
            for number in attempts:
                result = self._result(job_id, number)
                if result is not None:
                    results[number] = result
            place = None
            if attempts and (noted := self._latest(layout.log_file(job_id, attempts[-1]))):
                place = Holder(**json.loads(noted))
            signed = parse_job_file(text.encode())
            found.jobs[job_id] = JobOnRoot(job_id, signed, tuple(attempts), results, place)
        for machine in self._world.machines:
            raw = self._latest(layout.beat_file(machine.name))
            if raw is not None:
                beat = json.loads(raw)
                where = Holder(machine.name, beat["boot_id"], beat["supervisor_id"])
                found.beats |= {(one[0], one[1]): where for one in beat["attempts"]}
        found.largest = max((int(one) for one in found.jobs), default=0)
        return found

    def _result(self, job_id: str, attempt: int) -> AttemptResult | None:
        """Return how an attempt ended; None if no result lies there, or what is none."""
        raw = self._latest(self._world.layout.result_file(job_id, attempt))
        if raw is None:
            return None
        try:
            result = parse_result(parse(raw))
        except ValueError:
            return None
        return result if result.key == (job_id, attempt) else None

    def _attempts(self, job_id: str) -> set[int]:
        folder = Path(self._world.layout.folder(job_id).attempts_dir)
        return {
            int(one.parent.name) for one in self._world.nfs.files if one.parent.parent == folder
        }

    # --- what must be so ------------------------------------------------------------------------

    def acknowledged(self, ids: Sequence[str]) -> None:
        """The user was told that these are in the queue."""
        self._acknowledged_at |= dict.fromkeys(ids, self._engine.now)

    def moved(self, key: Attempt) -> None:
        """Something was made of an attempt by the queue."""
        self._judged.add(key)

    def called_lost(self, attempts: Sequence[Sequence[Any]]) -> None:
        """The queue told a machine to end these."""
        for job_id, number in attempts:
            key = (job_id, number)
            latest = max(
                (one[1] for one in self._world.truth.claims if one[0] == job_id), default=0
            )
            if key in self._running - self._judged and number == latest and self._runs(key):
                raise Violation(f"attempt {key} is killed because the queue forgot it")

    def _check(self) -> None:
        """Compare the restored queue with what is true; forget what may be lost."""
        truth, nfs = self._world.truth, self._world.nfs
        for job_id in sorted(truth.acknowledged):
            if self._standing(job_id) is not None:
                continue
            if job_id in nfs.job_files or self._acknowledged_at[job_id] < self._copied_at:
                raise Violation(f"job {job_id} was acknowledged, and is not restored")
            truth.acknowledged.remove(job_id)
            self._engine.note(f"job {job_id} came after the copy and is lost", "operator")
        for job_id, end in list(truth.ends.items()):
            standing = self._standing(job_id)
            if standing == end:
                continue
            on_root = self._result(job_id, end[1]) is not None
            if truth.ended_at[job_id] < self._copied_at or (on_root and end[0] == "finished"):
                raise Violation(f"the end {end} of job {job_id} is not restored: {standing}")
            self._engine.note(f"the end {end} of job {job_id} is lost: {standing}", "operator")
            del truth.ends[job_id]

    def _standing(self, job_id: str) -> tuple[str, int] | None:
        fields = ("status", "mlq_attempt")
        status, attempt = self._world.queue_host.wire.call("HMGET", f"rq:job:{job_id}", *fields)
        return None if status is None else (status.decode(), int(attempt or 0))


class _Direct:
    """A client on the queue's own host."""

    def __init__(self, world: World) -> None:
        self._host = world.queue_host

    def call(self, *command: Any) -> Any:
        return self.call_many([command])[0]

    def call_many(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        return self._host.execute(commands)

    def close(self) -> None:
        """Nothing to close."""
