"""Everything outside a supervisor that it touches, given to it as one argument."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.memory.cgroups import NO_CGROUPS, JobCgroups
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Watch
from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.host import Host, Poll
from mlq_worker.ipc.values import Order
from mlq_worker.supervisor.audience import Manner
from mlq_worker.supervisor.heartbeat import HeartbeatWriter
from mlq_worker.supervisor.listener import WorkerListener


class Launcher(Protocol):
    """A running launcher; `LauncherProcess` is the real one."""

    pid: int
    channel: Channel

    def end(self) -> None:
        """Kill the launcher if it is not dead yet; do not wait."""

    def keep_going(self) -> None:
        """Let it go on if a user has stopped it."""

    def buried(self) -> bool:
        """Return whether it is dead and nothing is left of what it started; kill what is left."""


class StartCores(Protocol):
    """Which cores jobs start on; `JobCores` is the real one."""

    def start(self, order: Order, rules: GuestRules) -> tuple[frozenset[int], ...]:
        """Return sets of cores, one of which a new job gets; () if it must not be pinned."""

    def keep(self, live: Collection[AttemptId]) -> None:
        """Forget all but these attempts."""


class Wakes(Protocol):
    """What other threads and signals wake the loop through, such as a non-blocking socket."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def recv(self, size: int, /) -> bytes:
        """Return what woke it; raise BlockingIOError if nothing has."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a supervisor.

    Args:
        host: the machine.
        poll: what the loop waits with.
        listener: where the worker connects.
        wakes: on which `beats` and signals wake the loop.
        beats: the thread that beats, not yet started.
        launch: starts a launcher.
        manner_of: how a process, by its pid, takes a signal.
        guest: what looks at others' needs on this machine, once the worker has said its rules.
        cores: which cores a job starts on.
        cgroups: of the jobs.
    """

    host: Host
    poll: Poll
    listener: WorkerListener
    wakes: Wakes
    beats: HeartbeatWriter
    launch: Callable[[], Launcher]
    manner_of: Callable[[int, int], Manner]
    guest: Watch
    cores: StartCores
    cgroups: JobCgroups = NO_CGROUPS
