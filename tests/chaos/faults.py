"""What befalls the daemons of one machine, or of the queue's host: killed, stopped, or all at once.

A fault is drawn from a seed, told as it begins and undone when it ends. Nothing here knows what the
lab should make of it; `judge` does.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from local_lab import DEAD_S, Lab, Machine, alive
from waiting import wait_for

CALM_S = (0.5, 4.0)  # between two faults of one machine
LENGTH_S = (0.2, 2.5 * DEAD_S)
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        kind: its name in `OF_A_MACHINE` or `OF_THE_SERVER`.
        calm_s: how long nothing happens before it.
        length_s: how long it lasts.
    """

    kind: str
    calm_s: float
    length_s: float


def draw(chance: random.Random, kinds: Sequence[str]) -> Iterator[Fault]:
    """Yield faults without end."""
    while True:
        yield Fault(chance.choice(kinds), chance.uniform(*CALM_S), chance.uniform(*LENGTH_S))


Act = Callable[[], None]
Begin = Callable[[Machine], Act]


def _pids(machine: Machine, *roles: str) -> list[int]:
    """Return those of a machine's daemons that run now."""
    found = []
    for role in roles:
        with suppress(OSError, ValueError, AssertionError, IndexError):
            pid = machine.pid(role)
            if alive(pid):
                found.append(pid)
    return found


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def start_worker(machine: Machine) -> None:
    """Start a machine's worker as systemd would: again and again while the queue is away."""

    def works() -> bool:
        done = machine.try_start()
        return done.code == 0 or "already runs" in done.err

    wait_for(works, PATIENCE_S, f"the worker of {machine.name}")


def killed(*roles: str) -> Begin:
    """Return the fault that kills these daemons of a machine at once."""

    def begin(machine: Machine) -> Act:
        _send(_pids(machine, *roles), signal.SIGKILL)
        return lambda: start_worker(machine)

    return begin


def stopped(*roles: str, then_killed: Sequence[str] = ()) -> Begin:
    """Return the fault that stops daemons for a while, and kills others meanwhile."""

    def begin(machine: Machine) -> Act:
        pids = _pids(machine, *roles)
        _send(pids, signal.SIGSTOP)
        _send(_pids(machine, *then_killed), signal.SIGKILL)

        def end() -> None:
            _send(pids, signal.SIGCONT)
            start_worker(machine)

        return end

    return begin


def power_cut(machine: Machine) -> Act:
    """Kill every process of a machine, its jobs included; its worker comes back at the end."""
    with suppress(OSError, ValueError):
        machine.cut_power()
    return lambda: start_worker(machine)


def frozen(machine: Machine) -> Act:
    """Stop every process of a machine, its jobs included."""
    with suppress(OSError, ValueError):
        machine.signal(signal.SIGSTOP)

    def end() -> None:
        with suppress(OSError, ValueError):
            machine.signal(signal.SIGCONT)
        start_worker(machine)

    return end


OF_A_MACHINE: dict[str, Begin] = {
    "worker killed": killed("worker"),
    "supervisor killed": killed("supervisor"),
    "launcher killed": killed("launcher"),
    "worker and supervisor killed": killed("worker", "supervisor"),
    "worker stopped": stopped("worker"),
    "supervisor stopped": stopped("supervisor"),
    "launcher stopped": stopped("launcher"),
    "launcher stopped, supervisor killed": stopped("launcher", then_killed=("supervisor",)),
    "power cut": power_cut,
    "frozen": frozen,
}
# While these last, nobody watches the jobs: an overlap past dead_s is in their nature.
UNWATCHED = frozenset({"supervisor stopped", "frozen", "launcher stopped"})


def server_pid(lab: Lab) -> int:
    """Return the process of the queue's server."""
    return int((lab.queue.settings.server_dir / "redis.pid").read_text())


def start_server(lab: Lab) -> None:
    """Start the queue's server."""
    wait_for(lambda: lab.sandbox.run("server", "start").code == 0, PATIENCE_S, "the server")


def server_killed(lab: Lab) -> Act:
    """Kill the queue's server."""
    _send([server_pid(lab)], signal.SIGKILL)
    return lambda: start_server(lab)


def server_stopped(lab: Lab) -> Act:
    """Stop the queue's server for a while."""
    pid = server_pid(lab)
    _send([pid], signal.SIGSTOP)
    return lambda: _send([pid], signal.SIGCONT)


OF_THE_SERVER: dict[str, Callable[[Lab], Act]] = {
    "server killed": server_killed,
    "server stopped": server_stopped,
}
