"""One attempt as the launcher knows it: plain data for `spawner`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.values import Order, Result, Started, Termination
from mlq_worker.launcher.hint import SOON_S
from mlq_worker.launcher.keepers import Gone
from mlq_worker.launcher.prepare import Ready
from mlq_worker.launcher.streams import Followed

SWEEP_S = 0.01  # the first pause between two looks for what a job left behind; doubled each time


@dataclass(slots=True)
class LaunchedAttempt:
    """One attempt from its order until its processes are gone.

    `foreign`: its folder belongs to another job or attempt, and the launcher must not write there.
    `choice_of_cores`: see `Spawn.cores`. `cores`: what of them it got. `hidden`: the values of its
    secrets. `followed`: files of its user's that follow its logs.
    """

    order: Order
    start_by: float
    choice_of_cores: tuple[frozenset[int], ...] = ()
    cores: frozenset[int] = frozenset()
    ready: Ready | None = None
    termination: Termination | None = None
    started: Started | None = None
    result: Result | None = None
    foreign: bool = False
    hidden: tuple[str, ...] = field(default=(), repr=False)
    keeper: Gone | None = None
    followed: Followed | None = None
    sweep_at: float = 0.0
    sweep_s: float = SWEEP_S

    @property
    def id(self) -> AttemptId:
        """Job id and attempt number."""
        return self.order.attempt

    @property
    def settled(self) -> bool:
        """Whether it can be started, or will not be."""
        return self.ready is not None or self.result is not None

    @property
    def its_result(self) -> Result:
        """Return how it ended; there must be a result by now."""
        if self.result is None:
            raise RuntimeError("an attempt without a result cannot be finished")
        return self.result

    @property
    def is_apart(self) -> bool:
        """Whether its standard error goes into a log of its own."""
        return self.order.batch is not None and bool(self.order.batch.error)

    def follow(self, files: Followed | None) -> None:
        """Begin to fill its user's files, if there are any."""
        self.followed = files
        if files is not None:
            files.start()

    def notes_of_files(self, now_at: float) -> tuple[str, ...] | None:
        """Return what to say of them at its end, at this boot time; None: ask again soon."""
        return () if self.followed is None else self.followed.ended(now_at)

    def failed_soon(self, now_at: float) -> bool:
        """Return whether it runs a copy of its code and has not run for long, at this boot time."""
        started = self.started
        return self.order.code is not None and started is not None and now_at < started.at + SOON_S

    def take_cores(self, running: Iterable[LaunchedAttempt]) -> frozenset[int]:
        """Return the cores that it starts on: of its lane's those that none of these runs on."""
        choice, lane = self.choice_of_cores, self.order.lane
        if len(choice) > 1:
            used = {one.cores for one in running if one.order.lane == lane}
            choice = tuple(cores for cores in choice if cores not in used) or choice
        self.cores = choice[0] if choice else frozenset()
        return self.cores

    @property
    def target(self) -> Target:
        """Whose processes are meant."""
        if self.started is None:
            return Target()
        return Target(self.started.pid, self.started.pid_start)
