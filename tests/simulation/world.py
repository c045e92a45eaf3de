"""One simulated laboratory, from its seed to its verdict."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from keyspace import problems
from redis_server import ADMIN, ADMIN_PASSWORD, RedisServer

from mlq.files.layout import Layout
from mlq.settings.settings import Settings
from mlq.store.wire import UnixClient
from mlq_worker.ipc.options import Options
from mlq_worker.liveness.fence import LivenessTimings
from simulation import placing_faults, poisoned_results
from simulation.data_loss import DataLoss
from simulation.engine import Engine, Violation
from simulation.faults import Faults
from simulation.identity_faults import set_clocks
from simulation.machine import Machine
from simulation.nfs import Nfs
from simulation.queue_host import QUEUE_ID, QueueHost, Scripts
from simulation.supervision import SupervisorHost, mark_prefix
from simulation.truth import Key, Truth
from simulation.twins import share_a_name
from simulation.users import User
from simulation.workers import WorkerHost

ROOT = Path("/results")
LEDGER_EVERY, KEYSPACE_EVERY_S = 200, 120.0
CALM_S = 60.0  # whoever is undisturbed for so long has squared what it holds with the queue
SETTLE_S = 6 * 3600.0
AFTER_S = 120.0  # how long everything stays up after the last job's end


@dataclass
class Outcome:
    """How a seed ended."""

    seed: int
    violation: str = ""
    story: str = ""
    simulated_s: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class World:
    """Machines, a server, NFS, a user and what befalls them.

    Args:
        seed: decides everything.
        server: a real Redis server; all that is in it is thrown away.
        scripts: the Lua operations.
    """

    def __init__(self, seed: int, server: RedisServer, scripts: Scripts) -> None:
        self.seed, self.scripts = seed, scripts
        self.engine = engine = Engine(seed)
        rng = engine.rng
        self.admin = server.admin
        self.layout = Layout(ROOT, QUEUE_ID)
        self.nfs = Nfs(engine)
        self.truth = Truth(engine, self._result_written_at)
        self._wire = UnixClient(server.settings.redis_socket, ADMIN, ADMIN_PASSWORD)
        self.queue_host = QueueHost(engine, self._wire, scripts.operations)
        self.queue_host.watch, self.queue_host.published = self.truth.watch, self._publish
        self.truth.wire = self._wire
        self.truth.loss = self.loss = DataLoss(self)
        self.truth.check_failure = partial(placing_faults.check_failure, self)
        self.truth.is_elsewhere = lambda: self.queue_host.is_exchanged
        self.truth.server_clock_s = lambda: self.queue_host.clock_s
        self._wire.call("SET", "mlq:queue_id", QUEUE_ID)
        self.workers: dict[str, WorkerHost] = {}
        self.supervisors: dict[str, SupervisorHost] = {}
        self._supervisor_count = self.worker_count = 0
        self.machines = [
            Machine(
                f"lab{number:02}",
                engine,
                seed,
                self.truth,
                boot_offset_s=rng.uniform(10, 1e6),
                drift=rng.uniform(-0.002, 0.002),
                utc_offset_s=1.7e9 + rng.choice((0.0, rng.uniform(-5000, 5000))),
            )
            for number in range(1, rng.choice((2, 3, 3, 4)) + 1)
        ]
        share_a_name(seed, self.machines)
        set_clocks(seed, self.machines)
        self.calm_since = {machine.name: 0.0 for machine in self.machines}
        for machine in self.machines:
            self.start_worker_later(machine, most_s=20)
        self.user = User(self)
        self.faults = Faults(self)
        poisoned_results.begin(self)

    # --- who is there ---------------------------------------------------------------------------

    def settings_of(self, machine: Machine) -> Settings:
        nowhere = Path("/nowhere")
        return Settings(
            root=ROOT,
            runtime_dir=nowhere,
            server_dir=nowhere,
            redis_socket=nowhere / "redis.sock",
            password_file=nowhere,
            key_file=nowhere,
            machine=machine.queue_name,
            cache_dir=nowhere,
            shared_dir=nowhere,
            poll_s=5,
            patience_s=300,
        )

    def supervisor(self, machine: Machine) -> SupervisorHost | None:
        host = self.supervisors.get(machine.name)
        return None if host is None or host.dead else host

    def start_supervisor(self, machine: Machine, dead_beat: str) -> SupervisorHost:
        settings = self.settings_of(machine)
        self._supervisor_count += 1
        identity = {
            "supervisor_id": f"supervisor{self._supervisor_count}",
            "boot_id": machine.boot_id,
        }
        options = Options(
            ROOT,
            machine.queue_name,
            ROOT,
            mark_prefix(machine),
            LivenessTimings(settings.beat_s, settings.lease_s, settings.fence_s, settings.dead_s),
            QUEUE_ID,
            machine.host["host_id"],
            dead_beat,
        )
        self.engine.note(f"{identity['supervisor_id']} starts", machine.name)
        host = SupervisorHost(machine, self.nfs, options, identity)
        self.supervisors[machine.name] = host
        return host

    def start_worker_later(self, machine: Machine, most_s: float = 40) -> None:
        boots = machine.boots

        def start() -> None:
            if machine.on and machine.boots == boots and machine.name not in self.workers:
                self.engine.here = machine
                self.workers[machine.name] = WorkerHost(self, machine)

        self.engine.after(self.engine.rng.uniform(0.5, most_s), start)

    def _publish(self, message: str) -> None:
        for name in sorted(self.workers):
            worker = self.workers[name]
            if self.engine.now >= worker.machine.link.cut_until:
                delay_s = self.engine.rng.uniform(0.001, 0.05)
                self.engine.after(delay_s, partial(worker.call, message))

    # --- running --------------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen, and check; raises Violation."""
        engine = self.engine
        next_ledger, next_keyspace = LEDGER_EVERY, KEYSPACE_EVERY_S
        quiet_since = float("inf")
        while True:
            engine.step()
            if engine.events >= next_ledger:
                next_ledger = engine.events + LEDGER_EVERY
                self.truth.check_ledger()
                self._check_calm()
                ended = self._all_well() and self.user.done and not self._unended()
                quiet_since = min(quiet_since, engine.now) if ended else float("inf")
                if engine.now > quiet_since + AFTER_S:
                    break
                if engine.now > self.faults.ended_at + SETTLE_S:
                    raise Violation(f"these jobs never end: {self._unended()}")
            if engine.now >= next_keyspace:
                next_keyspace = engine.now + KEYSPACE_EVERY_S
                self._check_keyspace()
        self._check_end()

    def _unended(self) -> list[str]:
        return [raw.decode() for raw in self._wire.call("ZRANGE", "mlq:unended", 0, -1)]

    def _all_well(self) -> bool:
        """Whether no fault lasts."""
        if self.loss.lost:
            return False
        frozen = [one.frozen_until for one in (*self.machines, *self.workers.values())]
        return self.engine.now > max(self.faults.ended_at, *frozen)

    def _check_keyspace(self) -> None:
        found = problems(self.admin)
        if found:
            raise Violation(f"the keyspace is unsound: {'; '.join(found)}")

    def _check_calm(self) -> None:
        """A machine that nothing disturbs holds what the queue believes it holds."""
        now = self.engine.now
        for machine in self.machines:
            worker, supervisor = self.workers.get(machine.name), self.supervisor(machine)
            if not machine.on or worker is None or supervisor is None or self.queue_host.down:
                continue
            since = max(
                worker.settled_at,
                worker.frozen_until,
                machine.frozen_until,
                machine.link.cut_until,
                machine.link.loses_until,
                machine.link.slow_until,
                machine.view.hangs_until,
                machine.view.asleep_until,
                machine.view.fails_until,
                self.faults.server_disturbed_until,
            )
            if now - since < CALM_S:
                continue
            if not self._has_its_name(worker):
                continue
            held = {f"{job_id}:{number}" for job_id, number in supervisor.held}
            believed = self._wire.call("SMEMBERS", f"mlq:held:{machine.queue_name}")
            missing = {raw.decode() for raw in believed} - held
            for one in sorted(missing):
                seen_at = self._missing_since.setdefault((machine.name, one), now)
                if now - seen_at > CALM_S:
                    raise Violation(
                        f"for {now - seen_at:.0f} s of calm the queue believes that {machine.name} "
                        f"runs {one}, and it does not"
                    )
            for key in [key for key in self._missing_since if key[0] == machine.name]:
                if key[1] not in missing:
                    del self._missing_since[key]

    def _has_its_name(self, worker: WorkerHost) -> bool:
        key = f"mlq:holder:{worker.machine.queue_name}"
        return bool(self._wire.call("HGET", key, "worker") == worker.identity.worker.encode())

    _missing_since: dict[tuple[str, str], float]

    def _check_end(self) -> None:
        self._check_keyspace()
        self.truth.check_ledger()
        for machine in self.machines:
            worker = self.workers.get(machine.name)
            # Where another host was given its name, nobody tells that what is paused there is over
            # (docs/liveness.md).
            left_behind = sum(one.queue_name == machine.queue_name for one in self.machines) > 1
            left_behind = left_behind and not (worker and self._has_its_name(worker))
            left = [
                one.job
                for one in machine.table.values()
                if one.alive
                and (machine.is_running(one) or not left_behind)
                and one.job[0] not in self.truth.forgotten
            ]
            if machine.on and left:
                raise Violation(f"all jobs have ended, and on {machine.name} still live {left}")
            supervisor = self.supervisor(machine)
            if supervisor is None or not worker or left_behind:
                continue
            held = [key for key in supervisor.held if key[0] not in self.truth.forgotten]
            if held:
                raise Violation(f"{machine.name} still holds {held}")

    def _result_written_at(self, key: Key) -> float:
        path = self.layout.result_file(*key)
        versions = self.nfs.files.get(path)
        if not versions:
            return float("inf")
        if key in self.truth.poisoned:
            return float("inf")
        result: dict[str, Any] = json.loads(versions[-1][2])
        good = result["outcome"] == "exited" and result["exit_code"] == 0
        return versions[0][0] if good else float("inf")

    def close(self) -> None:
        self.engine.close()
        self._wire.close()


def simulate(
    seed: int,
    server: RedisServer,
    plant: Callable[[Any], None] = lambda patch: None,
    alter: Callable[[str, str], str] = lambda name, text: text,
) -> Outcome:
    """Run one seed.

    Args:
        seed: decides everything.
        server: a real Redis server; all that is in it is thrown away.
        plant: plants a bug with a pytest.MonkeyPatch.
        alter: plants a bug in the text of an operation.
    """
    outcome = Outcome(seed)
    scripts = Scripts(alter)
    with pytest.MonkeyPatch.context() as patch:
        _silence(patch)
        plant(patch)
        world = World(seed, server, scripts)
        world._missing_since = {}
        try:
            world.run()
        except Violation as violation:
            outcome.violation = str(violation)
        finally:
            world.close()
    outcome.simulated_s = world.engine.now
    outcome.faults, outcome.counts = world.faults.counts, world.truth.counts
    outcome.story = tell(world)
    return outcome


def _silence(patch: pytest.MonkeyPatch) -> None:
    """Let the worker log nothing: the story of a seed tells it."""
    for name in ("mlq_worker", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "mlq_worker":
            patch.setattr(logging.getLogger(name), "disabled", True)


def tell(world: World) -> str:
    """The story of a world, a line an event."""
    lines = [f"seed {world.seed}: {len(world.machines)} machines"]
    lines += [f"{at:10.3f} s  {who:6}  {text}" for at, who, text in world.engine.story]
    return "\n".join(lines)
