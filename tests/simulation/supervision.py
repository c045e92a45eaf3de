"""The real supervisor loop and launcher code, on simulated processes, channels and disks."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from mlq.files.layout import Layout
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc import processes
from mlq_worker.ipc.launcher_messages import Commands
from mlq_worker.ipc.options import Options
from mlq_worker.ipc.procfs import below
from mlq_worker.ipc.values import Order, Result, to_json
from mlq_worker.launcher.aftermath import Found
from mlq_worker.launcher.edges import Edges
from mlq_worker.launcher.holder import Holder
from mlq_worker.launcher.keepers import Gone, Leader
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.prepare import Ready
from mlq_worker.launcher.spawner import Spawner
from mlq_worker.supervisor import edges as supervisor_edges
from mlq_worker.supervisor.audience import Manner
from mlq_worker.supervisor.loop import Supervisor
from simulation import placing_faults
from simulation.engine import LEAST_S, Timer
from simulation.fittings import HOP_S, SimBeats, SimChannel, SimListener, SimPool
from simulation.guests import SimGuest
from simulation.machine import Machine
from simulation.roots import pinned
from simulation.sim_host import SimHost

LAUNCH_S = 0.05


class SimKeepers:
    """Stands in for `Keepers`: the processes are the machine's."""

    def __init__(self, machine: Machine, launcher_pid: int) -> None:
        self._machine, self._launcher_pid = machine, launcher_pid

    def start(
        self, _name: str, _cwd: str, _argv: Any, env: dict[str, str], *_logs_and_scheduling: Any
    ) -> int:
        return self._machine.spawn(self._launcher_pid, env)

    def hear(self) -> tuple[list[Leader], list[Gone]]:
        gone = self._machine.gone(self._launcher_pid)
        reports, self._machine.reports = self._machine.reports, []
        usage: Any = SimpleNamespace(ru_utime=1.0, ru_stime=0.0, ru_maxrss=1024)
        return (
            [Leader(*report) for report in reports],
            [Gone(one.pid, one.status, usage) for one in gone],
        )

    def end_orphans(self) -> bool:
        return False  # no keeper is killed but by those who end the attempt


class SimLauncher:
    """Stands in for `LauncherProcess`, and runs the real `Spawner` as its main thread does."""

    def __init__(self, machine: Machine, layout: Layout, supervisor: SupervisorHost) -> None:
        self.machine, self.engine = machine, machine.engine
        self.pid = machine.new_pid()
        self.supervisor = supervisor
        self.stopped_until = 0.0
        self.channel, self._own = SimChannel.pair(self.engine, supervisor.wake, self.wake)
        self.dead = False
        self._timer: Timer | None = None
        self._due = float("inf")
        machine.died = self.wake
        self.pool = SimPool(4, machine, self.wake)
        place = (machine.queue_name, machine.boot_id)
        edges = Edges(
            supervisor.host,
            SimKeepers(machine, self.pid),  # type: ignore[arg-type]
            self.pool,  # type: ignore[arg-type]
            self.pool,  # type: ignore[arg-type]
            self.pool,  # type: ignore[arg-type]
            SimFiles(layout, Holder(*place, supervisor.supervisor_id), machine, supervisor.nfs),
            NoAftermath(),  # type: ignore[arg-type]
            SimWishes(machine),  # type: ignore[arg-type]
        )
        self.spawner = Spawner(self._own, place, edges)  # type: ignore[arg-type]
        self._wait(LAUNCH_S)

    def wake(self) -> None:
        if not self.dead and self._due > self.engine.now + HOP_S:
            self._wait(HOP_S)

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        seconds = max(seconds, LEAST_S)
        self._timer, self._due = None, self.engine.now + seconds
        if seconds < float("inf"):
            self._timer = self.engine.after(seconds, self._turn)

    def _turn(self) -> None:
        if self.dead:
            return
        thaw = max(self.machine.frozen_until, self.stopped_until)
        if self.engine.now < thaw:
            self._wait(thaw - self.engine.now + HOP_S)
            return
        self.engine.here = self.machine
        self.machine.launcher_pid = self.pid
        spawner = self.spawner
        spawner.reap()
        for message in self._own.receive():
            spawner.handle(Commands.from_json(message))
        spawner.pool.collect()
        due = spawner.tick()
        if self._own.closed:
            self.hung_up()
        else:
            self._wait(self.machine.sim_after(due) if due < float("inf") else due)

    def end(self) -> None:
        """It is killed."""
        if self.dead:
            return
        self.dead = True
        self.machine.died = lambda: None
        for task in self.pool.tasks:
            if self.engine.current is None:
                task.kill()
        self.machine.launcher_died(self.pid, 1 if self.supervisor.dead else self.supervisor.pid)
        self._own.close()

    def supervisor_died(self) -> None:
        """The kernel sends it the death signal."""
        self.end()

    def hung_up(self) -> None:
        """The supervisor has closed the connection."""
        self.end()

    def keep_going(self) -> None:
        """Somebody had stopped it, and its supervisor sees that."""
        if self.stopped_until > self.engine.now:
            self.stopped_until = self.engine.now
            self.wake()

    def buried(self) -> bool:
        host = self.supervisor.host
        return not processes.kill_all(host, lambda: below(host.look(), [self.supervisor.pid]))


def mark_prefix(machine: Machine) -> str:
    return f"mlq:sim:{machine.queue_name}:"


class SupervisorHost:
    """A supervisor process: the real loop, turned by events.

    Args:
        machine: where it runs.
        nfs: where it beats.
        options: what it was told.
        identity: supervisor_id and boot_id.
    """

    def __init__(
        self, machine: Machine, nfs: Any, options: Options, identity: dict[str, str]
    ) -> None:
        self.machine, self.engine, self.nfs, self.options = machine, machine.engine, nfs, options
        self.layout = options.layout
        self.pending: list[SimChannel] = []
        self.pid = machine.new_pid()
        self.dead = False
        self.frozen_until = 0.0
        self.launchers: list[SimLauncher] = []
        self._rung = False
        self._timer: Timer | None = None
        self._due = float("inf")
        self.host = SimHost(machine)
        prefix = options.mark_prefix
        while processes.kill_all(self.host, lambda: processes.marked(self.host, prefix, set())):
            continue
        self.beats = SimBeats(
            machine,
            nfs,
            self.host,
            options,
            {"machine": machine.queue_name, **identity, **machine.host},
            self._beaten,
        )
        edges = supervisor_edges.Edges(
            self.host,
            self.host.poll(),
            SimListener(self.pending, self.host),
            SimpleNamespace(recv=self._recv),  # type: ignore[arg-type]
            self.beats,
            self.launch,  # type: ignore[arg-type]
            lambda _pid, _number: Manner(heeds=True),
            guest := SimGuest(machine),
            guest,
        )
        self.loop = Supervisor(options, edges, identity)
        self.beats.start()
        self._wait(0)

    @property
    def supervisor_id(self) -> str:
        return self.loop._identity["supervisor_id"]

    @property
    def held(self) -> list[tuple[str, int]]:
        return [attempt.id for attempt in self.loop._state.held]

    def is_minding_others(self) -> bool:
        """Whether a worker has told it how to be a guest."""
        return self.loop._guest._rules is not None

    def wake(self) -> None:
        if not self.dead and self._due > self.engine.now + HOP_S:
            self._wait(HOP_S)

    def launch(self) -> SimLauncher:
        launcher = SimLauncher(self.machine, self.layout, self)
        self.launchers.append(launcher)
        return launcher

    def turn_now(self) -> None:
        """Take a turn at this very instant: what was frozen together thaws fence first."""
        if not self.dead:
            self._turn()

    def kill(self) -> None:
        """SIGKILL: the kernel kills its launcher with it, even one that is stopped."""
        self.dead = True
        if self._timer is not None:
            self._timer.cancel()
        if self.beats.task is not None:
            self.beats.task.kill()
        if self.loop._listener._worker is not None:
            self.loop._listener._worker.close()
        for one in self.pending:
            one.close()
        for launcher in self.launchers:
            launcher.channel.close()
            launcher.supervisor_died()

    def _beaten(self) -> None:
        self._rung = True
        self.wake()

    def _recv(self, _size: int) -> bytes:
        if not self._rung:
            raise BlockingIOError
        self._rung = False
        return b"w"

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        seconds = max(seconds, LEAST_S)
        self._due = self.engine.now + seconds
        self._timer = self.engine.after(seconds, self._turn)

    def _turn(self) -> None:
        if self.dead:
            return
        thaw = max(self.machine.frozen_until, self.frozen_until)
        if self.engine.now < thaw:
            self._wait(thaw - self.engine.now)
            return
        self.engine.here = self.machine
        self.loop._turn()
        if self.loop._finished():
            self.kill()
            return
        self.loop._wait()
        self._wait(self.host.waited_s)


class NoAftermath:
    """Stands in for `Aftermath`: nothing is said of simulated logs and memory."""

    def started(self, *_: object, apart: bool = False) -> None: ...

    def killed(self, *_: object) -> None: ...

    def failed(self, *_: object, **__: object) -> None: ...

    def found(self, _attempt: object) -> Found:
        return Found()


class SimWishes:
    """Stands in for `Wishes`: what attempts ask on this machine."""

    def __init__(self, machine: Machine) -> None:
        self._asks = machine.asks
        self._asks.clear()

    def variables(self, _attempt: AttemptId) -> dict[str, str]:
        return {}

    def asks(self, attempt: AttemptId) -> bool:
        return attempt in self._asks

    def drop(self, attempt: AttemptId) -> None:
        self._asks.discard(attempt)


class SimFiles:
    """Stands in for `RootFiles`: the attempts' folders and results, on simulated NFS.

    The log says who holds the attempt.
    """

    def __init__(self, layout: Layout, holder: Holder, machine: Machine, nfs: Any) -> None:
        self._layout, self._holder, self._machine, self._nfs = layout, holder, machine, nfs
        self._again: set[AttemptId] = set()

    def expect(self, attempt: AttemptId) -> None:
        self._again.add(attempt)

    def close(self, _logs: Any) -> None: ...

    def last_line(self, _result: Result, _hidden: object) -> str:
        return ""

    def prepare(self, order: Order) -> Ready | Failure:
        nfs, again = self._nfs, order.attempt in self._again
        try:
            with pinned(self._machine, self._layout) as root:
                if not again and nfs.is_of_another(order):
                    return Failure("foreign", None, "simulated: another job had its number")
                found = None if again else nfs.last_attempt(root, *order.attempt)
                if found is not None:
                    reason = f"attempt {found.attempt} was forgotten"
                    return Failure("reused", None, reason, found=found)
                log = root.log_file(*order.attempt)
                nfs.write(self._machine, log, json.dumps(self._holder._asdict()).encode())
                nfs.job_files.setdefault(order.attempt.job_id, order.job_json)
        except OSError as error:
            return Failure("storage", None, f"simulated: {error.strerror}")
        failure = placing_faults.missing(self._machine)
        if failure is not None:
            return failure
        return Ready((-1, -1), list(order.argv))

    def has_said(self, _result: Result) -> bool:
        return False

    def write(self, result: Result) -> str:
        path = self._layout.result_file(*result.attempt)
        try:
            with pinned(self._machine, self._layout):
                self._nfs.write(self._machine, path, json.dumps(to_json(result)).encode("ascii"))
        except OSError as error:
            return f"cannot write {path}: {error.strerror}"
        return ""
