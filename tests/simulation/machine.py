"""A simulated machine: its clocks, its process table, its power; and what its jobs do.

The truth about every process is here: what runs, what is stopped, what is a zombie.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from mlq_worker.guest.watch import PauseReason
from mlq_worker.ipc.procfs import MARK_VARIABLE, Process
from simulation.engine import Engine, Timer
from simulation.nfs import View
from simulation.queue_host import Link

if TYPE_CHECKING:
    from simulation.truth import Truth

TICKS_PER_S = 100
SWEEP_S = 0.03  # a shell's look at all processes
ASKING, ASKED = 7, 5  # in a seventh of the seeds


@dataclass(frozen=True)
class Behavior:
    """What one attempt does: drawn from the seed, the job and the attempt's number."""

    work_s: float
    exit_code: int
    term_s: float | None
    """How long it takes to end after SIGTERM; None: it ignores it."""
    straggler_s: float
    """How long a child that left the session stays behind its leader; 0: there is none."""
    asks: bool = False
    """Whether it asks to be queued again just before it exits."""

    @classmethod
    def of(cls, seed: int, job_id: str, attempt: int) -> Behavior:
        rng = Random(f"{seed}/{job_id}/{attempt}")
        short = Random(f"{seed}/short").choice((0.1, 0.4, 0.8))
        kind = Random(f"{seed}/{job_id}").random()
        work_s = 10 ** (rng.uniform(-0.5, 1.3) if kind < short else rng.uniform(1.6, 2.7))
        return cls(
            work_s=work_s,
            exit_code=0 if rng.random() < 0.8 else rng.choice((1, 2, 143)),
            term_s=rng.choice((None, 0.0, 0.3, 5.0)),
            straggler_s=rng.uniform(1, 200) if rng.random() < 0.25 else 0.0,
            asks=requeues(seed) and rng.random() < 0.3,
        )


def requeues(seed: int) -> bool:
    """Whether jobs of this seed ask to be queued again, and its user does for them."""
    return seed % ASKING == ASKED


@dataclass(eq=False)
class SimProcess:
    """One process of a job."""

    pid: int
    parent: int
    session: int
    start: int
    job: tuple[str, int]
    mark: str
    left_s: float
    status: int
    """What wait(2) will say when its work is done."""
    behavior: Behavior
    state: str = "R"
    since: float = 0.0
    timer: Timer | None = None
    leads: bool = False
    keeps: bool = False
    """It is the keeper of the others: it does no work, and stays as long as they do."""

    @property
    def alive(self) -> bool:
        return self.state in "RTS"

    def row(self) -> Process:
        return Process(self.pid, self.state, self.parent, self.session, self.session, self.start)


@dataclass(eq=False)
class Machine:
    """One machine; times ending in `_at` or `until` are simulated time.

    `name` is that of the host; `queue_name` the machine's in the queue, which somebody may have
    given to two.
    """

    name: str
    engine: Engine
    seed: int
    truth: Truth
    cores: int = 4
    on: bool = True
    boots: int = 1
    booted_at: float = 0.0
    drift: float = 0.0
    boot_offset_s: float = 0.0
    suspended_s: float = 0.0
    utc_offset_s: float = 1.7e9
    frozen_until: float = 0.0
    link: Link = field(default_factory=Link)
    view: View = field(default_factory=View)
    table: dict[int, SimProcess] = field(default_factory=dict)
    next_pid: int = 100
    launcher_pid: int = 0
    queue_name: str = ""
    lacks_until: float = 0.0
    """Until when the folder of the jobs is not there."""
    fails_until: float = 0.0
    """Until when every job fails at its start."""
    asks: set[tuple[str, int]] = field(default_factory=set)
    """The attempts that ask to be queued again."""
    guest_is_here: PauseReason | None = None
    """Why its jobs must pause."""
    guest_since: float = 0.0
    takes_memory: bool = False
    """Whether others need the memory of one of its jobs."""
    died: Callable[[], None] = lambda: None
    """Called when a child of the launcher, or of a keeper, has died."""
    reports: list[tuple[int, int]] = field(default_factory=list)
    """What keepers tell the launcher: their pid, and the leader's status."""

    def __post_init__(self) -> None:
        self.queue_name = self.queue_name or self.name

    @property
    def boot_id(self) -> str:
        return f"{self.name}-boot{self.boots}"

    @property
    def host(self) -> dict[str, str]:
        return {"host_id": f"host-{self.name}", "host": self.name}

    @property
    def frozen(self) -> bool:
        return self.engine.now < self.frozen_until

    # --- clocks ---------------------------------------------------------------------------------

    def boot_s(self) -> float:
        return (self.engine.now - self.booted_at) * (1 + self.drift) + self.boot_offset_s

    def monotonic_s(self) -> float:
        return self.boot_s() - self.suspended_s

    def utc_s(self) -> float:
        return self.engine.now + self.utc_offset_s

    def sim_after(self, boot_at: float) -> float:
        """The seconds of simulated time until a boot time."""
        return max(0.0, (boot_at - self.boot_s()) / (1 + self.drift))

    # --- processes ------------------------------------------------------------------------------

    def new_pid(self) -> int:
        self.next_pid += 1
        return self.next_pid

    def spawn(self, launcher_pid: int, env: dict[str, str]) -> int:
        """Start an attempt: a keeper, the leader, and perhaps a child in a session of its own.

        Half of these children hide their mark.
        """
        job = (env["MLQ_JOB_ID"], int(env["MLQ_ATTEMPT"]))
        behavior = Behavior.of(self.seed, *job)
        if self.engine.now < self.fails_until:
            behavior = replace(behavior, work_s=0.5, exit_code=1, straggler_s=0.0)
        keeper = self.new_pid()
        start, mark = int(self.boot_s() * TICKS_PER_S), env[MARK_VARIABLE]
        self.table[keeper] = SimProcess(
            *(keeper, launcher_pid, launcher_pid, start, job, mark, float("inf"), 0, behavior),
            state="S",
            keeps=True,
        )
        leader = self._start(keeper, job, mark, behavior, behavior.work_s)
        self.table[leader].leads = True
        if behavior.straggler_s:
            hidden = int(behavior.straggler_s) % 2
            left_s = behavior.work_s + behavior.straggler_s
            self._start(leader, job, "" if hidden else mark, behavior, left_s)
        self.truth.spawned(self, job)
        return keeper

    def _start(
        self, parent: int, job: tuple[str, int], mark: str, how: Behavior, left_s: float
    ) -> int:
        pid = self.new_pid()
        start = int(self.boot_s() * TICKS_PER_S)
        process = SimProcess(pid, parent, pid, start, job, mark, left_s, how.exit_code << 8, how)
        self.table[pid] = process
        self.truth.processes.setdefault(job[0], []).append((self, process))
        self._run(process)
        return pid

    def _run(self, process: SimProcess) -> None:
        process.state, process.since = "R", self.engine.now
        if not self.frozen:
            process.timer = self.engine.after(process.left_s, lambda: self._done(process))
            self.truth.check_overlap(process.job[0])

    def _halt(self, process: SimProcess) -> None:
        if process.timer is not None:
            process.timer.cancel()
            process.timer = None
            process.left_s -= self.engine.now - process.since

    def _done(self, process: SimProcess) -> None:
        if process.parent in self.table and not self.table[process.parent].alive:
            process.parent = 1
        if process.leads and process.behavior.asks and process.status != signal.SIGTERM:
            self.asks.add(process.job)
            self.truth.asked.add(process.job)
            self.engine.note(f"job {process.job[0]} asks to be queued again", self.name)
        self.end(process, process.status)

    def end(self, process: SimProcess, status: int) -> None:
        """A process ends; its parent may ask how."""
        if not process.alive:
            return
        self._halt(process)
        process.state, process.status = "Z", status
        if process.leads:
            self.truth.exited(self, process.job, os.waitstatus_to_exitcode(status))
        keeper = self.table.get(process.parent)
        if process.leads and keeper is not None and keeper.keeps:
            self.reports.append((keeper.pid, status))
        if not process.keeps or process.parent != self.launcher_pid:
            del self.table[process.pid]  # whoever its parent is, it buries it at once
        for child in list(self.table.values()):
            if child.parent == process.pid:  # orphans go to the keeper, a subreaper
                child.parent = process.parent
                if process.keeps and child.leads:
                    self.end(child, signal.SIGKILL)
        if keeper is not None and keeper.keeps:
            self._leave(keeper)
        self.died()

    def _leave(self, keeper: SimProcess) -> None:
        """A keeper ends when nothing is left below it."""
        if keeper.alive and all(one.parent != keeper.pid for one in self.table.values()):
            self.end(keeper, 0)

    def kill(self, pid: int, number: int) -> None:
        process = self.table.get(pid)
        if process is None:
            raise ProcessLookupError
        if process.alive and number:
            self._signal(process, number)

    def killpg(self, group: int, number: int) -> None:
        members = [one for one in self.table.values() if one.session == group]
        if not members:
            raise ProcessLookupError
        for one in members:
            if one.alive and number:
                self._signal(one, number)

    def _signal(self, process: SimProcess, number: int) -> None:
        if number == signal.SIGKILL:
            self.end(process, signal.SIGKILL)
        elif number == signal.SIGSTOP and process.state == "R":
            self._halt(process)
            process.state = "T"
        elif number == signal.SIGCONT and process.state == "T":
            self._run(process)
        elif number == signal.SIGTERM:
            term_s = process.behavior.term_s
            if term_s is not None and term_s < process.left_s:
                running = process.state == "R"
                self._halt(process)
                process.left_s, process.status = term_s, signal.SIGTERM
                if running:
                    self._run(process)

    def gone(self, launcher_pid: int) -> list[SimProcess]:
        """The keepers that have ended since the launcher last asked."""
        found = [one for one in self.table.values() if one.keeps and one.state == "Z"]
        found = [one for one in found if one.parent == launcher_pid]
        for one in found:
            del self.table[one.pid]
        return found

    def launcher_died(self, launcher_pid: int, heir_pid: int) -> None:
        """The launcher died: its keepers get their signal, and end all below them before long."""
        for one in list(self.table.values()):
            if one.parent == launcher_pid:
                one.parent = heir_pid
                if one.state == "Z":
                    del self.table[one.pid]
                else:
                    self.engine.after(SWEEP_S, partial(self._sweep, one))

    def _sweep(self, keeper: SimProcess) -> None:
        if self.table.get(keeper.pid) is not keeper:
            return
        if self.frozen:
            self.engine.after(self.frozen_until - self.engine.now, partial(self._sweep, keeper))
            return
        for pid in list(self.table):
            one = self.table.get(pid)
            if one is not None and one.parent == keeper.pid:
                self.end(one, signal.SIGKILL)
        if self.table.get(keeper.pid) is keeper:  # what became its children now
            self.engine.after(SWEEP_S, partial(self._sweep, keeper))

    # --- power and freezing ---------------------------------------------------------------------

    def lose_power(self) -> None:
        for one in list(self.table.values()):
            if one.alive:
                self._halt(one)
                one.state = "X"
        self.table = {}
        self.on = False

    def boot(self) -> None:
        self.on = True
        self.boots += 1
        self.booted_at, self.boot_offset_s, self.suspended_s = self.engine.now, 0.0, 0.0
        self.frozen_until = 0.0

    def freeze(self, seconds: float) -> None:
        """Suspend the whole machine; its boot clock goes on."""
        for one in self.table.values():
            self._halt(one)
        self.suspended_s += seconds
        self.frozen_until = self.engine.now + seconds

    def thaw(self) -> None:
        """What was running runs on; the supervisor has had its turn at this same instant."""
        for one in list(self.table.values()):
            if one.state == "R" and one.timer is None:
                self._run(one)

    def is_running(self, process: SimProcess) -> bool:
        return self.on and not self.frozen and process.state == "R"
