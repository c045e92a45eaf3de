"""What befalls the laboratory: drawn from the seed, one fault after another, until all is well."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mlq_worker.decide import Mode
from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.workers import WorkerHost
    from simulation.world import World

SUPERVISOR_FREEZE_S = 4.0  # less than the margin between the end of trust and the end of a lease


class Faults:
    """Chooses and makes faults; counts them by kind."""

    def __init__(self, world: World) -> None:
        self._world, self._engine, self._rng = world, world.engine, world.engine.rng
        self.counts: dict[str, int] = {}
        self.server_disturbed_until = 0.0
        self._kinds: dict[Callable[[Machine], None], float] = {
            self.power_cut: 3,
            self.reboot: 3,
            self.kill_worker: 3,
            self.kill_supervisor: 2,
            self.kill_launcher: 1,
            self.cut_tunnel: 4,
            self.nfs_hang: 3,
            self.nfs_errors: 3,
            self.nfs_delay: 2,
            self.cut_both: 4,
            self.redis_restart: 2,
            self.redis_forgets: 3,
            self.lossy_link: 3,
            self.slow_link: 1,
            self.freeze_worker: 3,
            self.silence: 3,
            self.freeze_machine: 3,
            self.freeze_supervisor: 2,
            self.jump_utc: 1,
            self.jump_server_clock: 1,
            self.operator: 2,
        }
        if self._rng.random() < 0.5:
            for machine in [*world.machines, world.user.laptop]:
                machine.link.loses = 0.03
        # Each seed has its own weather: some kinds of fault only, so that they meet often.
        chosen = self._rng.sample(list(self._kinds), self._rng.randint(3, 9))
        self._chosen = chosen, [self._kinds[kind] for kind in chosen]
        self._most_s = self._rng.choice((60.0, 300.0, 600.0))
        self._long = self._rng.random()  # how often a fault outlasts every span of the protocol
        self._left = self._rng.randint(3, 14)
        self._pause_s = self._rng.choice((15.0, 40.0, 90.0))
        self.ended_at = float("inf")
        self._last_until = 0.0
        self._dead: set[str] = set()
        self._engine.after(self._rng.uniform(10, 90), self._next)

    def _next(self) -> None:
        if self._left:
            self._left -= 1
            kinds, weights = self._chosen
            kind = self._rng.choices(kinds, weights)[0]
            machine = self._victim()
            self._engine.here = machine
            kind(machine)
            if self._rng.random() < 0.3:  # both channels may go for different reasons
                self._rng.choice(
                    (self.nfs_hang, self.nfs_errors, self.cut_tunnel, self.freeze_worker)
                )(machine)
            # Often the next fault comes while this one lasts, or just after it.
            self._engine.after(self._rng.expovariate(1 / self._pause_s), self._next)
        else:
            left_s = max(0.0, self._last_until - self._engine.now)
            self._engine.after(left_s + 1, self._heal)

    def _victim(self) -> Machine:
        """Rather a machine that runs something."""
        busy = [machine for machine in self._world.machines if machine.table]
        chosen = busy if busy and self._rng.random() < 0.7 else self._world.machines
        return self._rng.choice(chosen)

    def _heal(self) -> None:
        for worker in self._world.workers.values():
            worker.client.ambush = None
        self._world.queue_host.ambush = None
        for machine in [*self._world.machines, self._world.user.laptop]:
            machine.link.heal()
            machine.link.loses = 0.0
            machine.view.heal()
        if self._world.queue_host.down:
            self._world.queue_host.restart()
        for machine in self._world.machines:
            if not machine.on and (
                len(self._dead) >= len(self._world.machines) - 1 or machine.name not in self._dead
            ):
                self._boot(machine)
        self.ended_at = self._engine.now
        self._engine.here = None
        self._engine.note("all faults have ended")

    def _begin(self, kind: str, text: str, lasts_s: float = 0.0) -> float:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        until = self._engine.now + lasts_s
        self._last_until = max(self._last_until, until)
        self._engine.note(f"*** {text}" + (f" for {lasts_s:.0f} s" if lasts_s else ""))
        return until

    def _span_s(self, most_s: float | None = None) -> float:
        """Seconds to minutes; sometimes just around the spans of the protocol, or beyond them."""
        most_s = most_s or self._most_s
        if self._rng.random() < 0.6 * self._long:
            return self._rng.uniform(130, 400)
        if self._rng.random() < 0.2:
            return self._rng.choice((45.0, 60.0, 90.0, 145.0)) + self._rng.uniform(-12, 25)
        return float(2.0 * (most_s / 2.0) ** self._rng.random())

    # --- machines -------------------------------------------------------------------------------

    def power_cut(self, machine: Machine) -> None:
        lasts_s = self._span_s()
        if self._rng.random() < 0.15:
            self._dead.add(machine.name)
        self._off(machine, "power cut", lasts_s)

    def reboot(self, machine: Machine) -> None:
        self._off(machine, "reboot", self._rng.uniform(3, 60))

    def _off(self, machine: Machine, kind: str, lasts_s: float) -> None:
        if not machine.on:
            return
        self._begin(kind, kind, lasts_s)
        world = self._world
        worker, supervisor = world.workers.get(machine.name), world.supervisor(machine)
        if worker is not None:
            worker.kill()
        if supervisor is not None:
            supervisor.kill()
            for launcher in supervisor.launchers:
                launcher.dead = True
                for task in launcher.pool.tasks:
                    task.kill()
        world.supervisors.pop(machine.name, None)
        machine.died = lambda: None
        machine.lose_power()
        self._engine.after(lasts_s, partial(self._back, machine))

    def _back(self, machine: Machine) -> None:
        if not machine.on and machine.name not in self._dead:
            self._boot(machine)

    def _boot(self, machine: Machine) -> None:
        machine.boot()
        self._engine.here = machine
        self._engine.note(f"boots: {machine.boot_id}")
        self._world.start_worker_later(machine)

    def freeze_machine(self, machine: Machine) -> None:
        if not machine.on or machine.frozen:
            return
        lasts_s = self._span_s(7200.0 if self._rng.random() < 0.1 else None)
        until = self._begin("machine frozen", "the machine freezes", lasts_s)
        machine.freeze(lasts_s)
        self._engine.at(until, partial(self._thaw, machine, machine.boots))

    def _thaw(self, machine: Machine, boots: int) -> None:
        if machine.on and machine.boots == boots:
            supervisor = self._world.supervisor(machine)
            if supervisor is not None:
                supervisor.turn_now()
            machine.thaw()

    # --- processes ------------------------------------------------------------------------------

    def kill_worker(self, machine: Machine) -> None:
        worker = self._world.workers.get(machine.name)
        if worker is None:
            return

        def strike() -> None:
            if self._world.workers.get(machine.name) is worker:
                self._engine.note("the worker is killed", machine.name)
                worker.kill()
                self._world.start_worker_later(machine)

        self._begin("worker killed", "the worker is to be killed")
        self._strike(worker, strike, self._rng.choice(("", "claim", "claim", "renew", "move")))

    def _strike(self, worker: WorkerHost, strike: Callable[[], None], after: str) -> None:
        """Now, or at the worst instant: the server has done what was asked, the reply is out."""
        if self._rng.random() < 0.3:
            strike()
        else:
            worker.client.ambush = (after, strike)

    def kill_supervisor(self, machine: Machine) -> None:
        supervisor = self._world.supervisor(machine)
        if supervisor is not None and not machine.frozen:
            self._begin("supervisor killed", "the supervisor is killed")
            supervisor.kill()

    def kill_launcher(self, machine: Machine) -> None:
        supervisor = self._world.supervisor(machine)
        if supervisor is not None and supervisor.launchers and not machine.frozen:
            self._begin("launcher killed", "the launcher is killed")
            supervisor.launchers[-1].end()

    def freeze_worker(self, machine: Machine) -> None:
        lasts_s = self._span_s(7200.0 if self._rng.random() < 0.1 else None)
        self._freeze_worker(machine, lasts_s, self._rng.choice(("", "claim", "claim", "move")))

    def _freeze_worker(self, machine: Machine, lasts_s: float, after: str) -> None:
        worker = self._world.workers.get(machine.name)
        if worker is None:
            return

        def strike() -> None:
            self._last_until = max(self._last_until, self._engine.now + lasts_s)
            self._engine.note(f"the worker freezes for {lasts_s:.0f} s", machine.name)
            worker.freeze(self._engine.now + lasts_s)

        self._begin("worker frozen", "the worker is to freeze", lasts_s)
        self._strike(worker, strike, after)

    def silence(self, machine: Machine) -> None:
        """The worker freezes between a renewal and its reply, and NFS hangs meanwhile."""
        lasts_s = self._rng.uniform(100, 300)
        self._freeze_worker(machine, lasts_s, "renew")
        until = self._begin("NFS hang", "NFS hangs", lasts_s + self._rng.uniform(-20, 60))
        machine.view.hangs_until, machine.view.soft = until, False

    def freeze_supervisor(self, machine: Machine) -> None:
        supervisor = self._world.supervisor(machine)
        if supervisor is not None:
            lasts_s = self._rng.uniform(0.5, SUPERVISOR_FREEZE_S)
            until = self._begin("supervisor frozen", "the supervisor freezes", lasts_s)
            supervisor.frozen_until = until
            if supervisor.beats.task is not None:
                supervisor.beats.task.frozen_until = until

    def operator(self, machine: Machine) -> None:
        worker = self._world.workers.get(machine.name)
        if worker is not None and worker.mode is Mode.RUN:
            worker.mode = self._rng.choice((Mode.LEAVE, Mode.NOW, Mode.DRAIN))
            self._begin("worker told to leave", f"the worker is told to {worker.mode.value}")
            worker.ring()

    # --- channels -------------------------------------------------------------------------------

    def cut_tunnel(self, machine: Machine) -> None:
        who = self._rng.choice((machine, machine, machine, self._world.user.laptop))
        until = self._begin("tunnel cut", f"the tunnel of {who.name} is cut", self._span_s())
        self._cut(who, until)

    def _cut(self, machine: Machine, until: float) -> None:
        machine.link.cut_until = max(machine.link.cut_until, until)
        worker = self._world.workers.get(machine.name)
        if worker is not None:
            noticed_s = self._rng.choice((0.1, self._rng.uniform(1, 60)))
            self._engine.after(noticed_s, worker.unsubscribe)

    def nfs_hang(self, machine: Machine) -> None:
        who = self._rng.choice(([machine], [machine], self._world.machines))
        kind = "NFS hangs everywhere" if len(who) > 1 else "NFS hangs"
        until = self._begin("NFS hang", kind, self._span_s())
        for one in who:
            one.view.hangs_until = max(one.view.hangs_until, until)
            one.view.soft = self._rng.random() < 0.3

    def nfs_errors(self, machine: Machine) -> None:
        who = self._rng.choice(([machine], self._world.machines))
        error = self._rng.choice((errno.EIO, errno.ESTALE, errno.EDQUOT))
        until = self._begin(
            "NFS errors", f"NFS fails with {errno.errorcode[error]}", self._span_s()
        )
        for one in who:
            one.view.fails_until, one.view.error = until, error

    def nfs_delay(self, machine: Machine) -> None:
        until = self._begin("NFS stale", "NFS shows what is old", self._span_s())
        machine.view.stale_until = until
        machine.view.staleness_s = self._rng.uniform(3, 20)

    def cut_both(self, machine: Machine) -> None:
        lasts_s = self._span_s()
        until = self._begin("both channels cut", "tunnel and NFS are cut", lasts_s)
        self._cut(machine, until + self._rng.choice((10, 100)) * self._rng.uniform(-1, 1))
        machine.view.hangs_until = max(machine.view.hangs_until, until)
        self._last_until = max(self._last_until, until + 100)

    def lossy_link(self, machine: Machine) -> None:
        who = self._rng.choice((machine, machine, self._world.user.laptop))
        until = self._begin("replies lost", f"the link of {who.name} loses replies", self._span_s())
        who.link.loses_until = until

    def slow_link(self, machine: Machine) -> None:
        machine.link.slow_until = self._begin("slow link", "the link is slow", self._span_s())

    # --- the server and clocks ------------------------------------------------------------------

    def redis_restart(self, machine: Machine) -> None:
        if not self._world.queue_host.down:
            lasts_s = self._rng.choice((self._rng.uniform(0.1, 5), self._span_s(300)))
            until = self._begin("Redis killed", "Redis is killed and stays away", lasts_s)
            self._crash(until)

    def redis_forgets(self, machine: Machine) -> None:
        """The queue's host loses power, and with it what Redis did in its last second."""
        host = self._world.queue_host
        before = self._rng.choice(("claim", "claim", "submit", "move"))

        def strike() -> None:
            host.stop_flushing()
            self._world.truth.remember()
            self._engine.note(f"from this {before} on, nothing reaches the disk", "queue")
            self._engine.after(self._rng.uniform(0, 1), fall)

        def fall() -> None:
            if not host.down:
                until = self._begin(
                    "Redis forgot",
                    "Redis is killed and forgets its last second",
                    self._rng.uniform(0.1, 60),
                )
                self._crash(until)

        if not host.down:
            host.ambush = before, strike

    def _crash(self, until: float) -> None:
        host = self._world.queue_host
        if host.crash():
            self._world.truth.forget()
        self._engine.at(until, host.restart)
        self.server_disturbed_until = max(self.server_disturbed_until, until)
        for worker in self._world.workers.values():
            self._engine.after(self._rng.uniform(0.01, 0.5), worker.unsubscribe)

    def jump_utc(self, machine: Machine) -> None:
        jump_s = self._rng.choice((-1, 1)) * self._span_s(86400)
        self._begin("time of day jumps", f"the time of day jumps by {jump_s:.0f} s")
        machine.utc_offset_s += jump_s

    def jump_server_clock(self, machine: Machine) -> None:
        jump_s = self._rng.choice((-1, 1)) * self._span_s(600)
        self._engine.here = None
        self._begin("server's clock jumps", f"the clock of Redis jumps by {jump_s:.0f} s")
        self._world.queue_host.clock_offset_s += jump_s
        self.server_disturbed_until = max(
            self.server_disturbed_until, self._engine.now + abs(jump_s)
        )
