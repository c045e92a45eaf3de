"""What befalls the laboratory: drawn from the seed, one fault after another, until all is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation import (
    channel_faults,
    guests,
    identity_faults,
    launcher_faults,
    machine_faults,
    placing_faults,
    server_faults,
)
from simulation.machine import Machine

if TYPE_CHECKING:
    from simulation.world import World

Kind = Callable[["Faults", Machine], None]

KINDS: dict[Kind, float] = {
    machine_faults.power_cut: 3,
    machine_faults.reboot: 3,
    machine_faults.freeze_machine: 3,
    machine_faults.kill_worker: 3,
    machine_faults.freeze_worker: 3,
    machine_faults.silence: 3,
    machine_faults.kill_supervisor: 2,
    machine_faults.freeze_supervisor: 2,
    machine_faults.kill_launcher: 1,
    launcher_faults.stop_launcher: 2,
    machine_faults.operator: 2,
    placing_faults.lose_folder: 2,
    placing_faults.fail_everything: 2,
    channel_faults.cut_tunnel: 4,
    channel_faults.nfs_hang: 3,
    channel_faults.nfs_errors: 3,
    channel_faults.nfs_delay: 2,
    channel_faults.cut_both: 4,
    channel_faults.split: 3,
    channel_faults.late_evidence: 2,
    channel_faults.lossy_link: 3,
    channel_faults.slow_link: 1,
    server_faults.redis_restart: 2,
    server_faults.redis_forgets: 3,
    server_faults.jump_utc: 1,
    server_faults.jump_server_clock: 1,
    server_faults.jump_in_silence: 2,
}
WEATHER: tuple[Kind, ...] = ()
"""Kinds that every seed has, for a planted bug that only they show."""
_OF_WEATHER = 20.0

_BESIDE: tuple[Kind, ...] = (
    channel_faults.nfs_hang,
    channel_faults.nfs_errors,
    channel_faults.cut_tunnel,
    machine_faults.freeze_worker,
)


class Faults:
    """Chooses and makes faults; counts them by kind.

    What a fault does is in the modules `machine_faults`, `channel_faults` and `server_faults`:
    functions of this and of the machine that was chosen.
    """

    def __init__(self, world: World) -> None:
        self.world, self.engine, self.rng = world, world.engine, world.engine.rng
        self.counts: dict[str, int] = {}
        self.server_disturbed_until = 0.0
        if self.rng.random() < 0.5:
            for machine in [*world.machines, world.user.laptop]:
                machine.link.loses = 0.03
        # Each seed has its own weather: some kinds of fault only, so that they meet often.
        chosen = self.rng.sample(list(KINDS), self.rng.randint(3, 9))
        weights = [KINDS[kind] for kind in chosen]
        self._chosen = [*chosen, *WEATHER], [*weights, *(_OF_WEATHER for _ in WEATHER)]
        self._most_s = self.rng.choice((60.0, 300.0, 600.0))
        self._long = self.rng.random()  # how often a fault outlasts every span of the protocol
        self._left = self.rng.randint(3, 14)
        self._pause_s = self.rng.choice((15.0, 40.0, 90.0))
        self.ended_at = float("inf")
        self.last_until = 0.0
        self.dead: set[str] = set()
        self.engine.after(self.rng.uniform(10, 90), self._next)
        identity_faults.schedule(self)
        guests.schedule(self)

    def _next(self) -> None:
        if self._left:
            self._left -= 1
            kinds, weights = self._chosen
            kind = self.rng.choices(kinds, weights)[0]
            machine = self._victim()
            self.engine.here = machine
            kind(self, machine)
            if self.rng.random() < 0.3:  # both channels may go for different reasons
                self.rng.choice(_BESIDE)(self, machine)
            # Often the next fault comes while this one lasts, or just after it.
            self.engine.after(self.rng.expovariate(1 / self._pause_s), self._next)
        else:
            left_s = max(0.0, self.last_until - self.engine.now)
            self.engine.after(left_s + 1, self._heal)

    def _victim(self) -> Machine:
        """Rather a machine that runs something."""
        busy = [machine for machine in self.world.machines if machine.table]
        chosen = busy if busy and self.rng.random() < 0.7 else self.world.machines
        return self.rng.choice(chosen)

    def _heal(self) -> None:
        for worker in self.world.workers.values():
            worker.client.ambush = None
        self.world.queue_host.ambush = None
        for machine in [*self.world.machines, self.world.user.laptop]:
            machine.link.heal()
            machine.link.loses = 0.0
            machine.view.heal()
            machine.lacks_until = machine.fails_until = 0.0
            machine.guest_is_here, machine.takes_memory = None, False
        if self.world.queue_host.down:
            self.world.queue_host.restart()
        self.world.queue_host.give_back()
        for machine in self.world.machines:
            if not machine.on and (
                len(self.dead) >= len(self.world.machines) - 1 or machine.name not in self.dead
            ):
                machine_faults.boot(self, machine)
        self.ended_at = self.engine.now
        self.engine.here = None
        self.engine.note("all faults have ended")

    def begin(self, kind: str, text: str, lasts_s: float = 0.0) -> float:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        until = self.engine.now + lasts_s
        self.last_until = max(self.last_until, until)
        self.engine.note(f"*** {text}" + (f" for {lasts_s:.0f} s" if lasts_s else ""))
        return until

    def span_s(self, most_s: float | None = None) -> float:
        """Seconds to minutes; sometimes just around the times of the protocol, or beyond them."""
        most_s = most_s or self._most_s
        if self.rng.random() < 0.6 * self._long:
            return self.rng.uniform(130, 400)
        if self.rng.random() < 0.2:
            return self.rng.choice((45.0, 60.0, 90.0, 145.0)) + self.rng.uniform(-12, 25)
        return float(2.0 * (most_s / 2.0) ** self.rng.random())
