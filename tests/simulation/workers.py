"""The real worker on a simulated machine: its loop as `mlq_worker.agent.loop` turns it."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlq.errors import MlqError, SupervisorError
from mlq.store.machine_names import WorkerIdentity
from mlq.store.store import Store
from mlq_worker.agent.context import Clocks, MachineContext
from mlq_worker.agent.facts import Mode
from mlq_worker.agent.machine_name import MachineName
from mlq_worker.agent.supervisor_client import SupervisorLink
from mlq_worker.agent.turn import Worker
from mlq_worker.ipc.messages import PROTOCOL
from mlq_worker.probes.cores import CoreReport
from mlq_worker.probes.machine import Limits, MachineReport
from mlq_worker.probes.memory import MemoryReport
from simulation.engine import Task, Violation
from simulation.fittings import SimChannel
from simulation.machine import Machine
from simulation.queue_host import QUEUE_ID, SimClient
from simulation.roots import SimCopyFiles, SimRootFiles
from simulation.supervision import mark_prefix

if TYPE_CHECKING:
    from simulation.world import World

KEY = b"k" * 32
_CONNECT_S, _TURN_S = 15.0, 0.002
_SPINNING = 2000


class SimReader:
    """Stands in for `BackgroundReader`: its thread is a task, one for each question."""

    def __init__(self, owner: WorkerHost, wake: Callable[[], None]) -> None:
        self._owner, self._wake = owner, wake
        self._answers: deque[Any] = deque()
        self._busy = False

    @property
    def busy(self) -> bool:
        return self._busy

    @property
    def answered(self) -> bool:
        return bool(self._answers)

    def ask(self, question: Callable[[], Any]) -> bool:
        if self._busy:
            return False
        self._busy = True

        def serve() -> None:
            self._answers.append(question())
            self._wake()

        self._owner.spawn(serve, "desk")
        return True

    def answer(self) -> Any:
        if not self._answers:
            return None
        self._busy = False
        return self._answers.popleft()


class SimProbe:
    """An empty machine with its cores."""

    def __init__(self, machine: Machine) -> None:
        self._report = MachineReport(
            machine.queue_name,
            machine.boot_id,
            CoreReport(machine.cores, 0.0),
            MemoryReport(64000, 60000),
        )

    def look(self, *_: object) -> MachineReport:
        return self._report


class SimContext(MachineContext):
    """A context whose supervisor is a simulated one."""

    host: WorkerHost

    def reach_supervisor(self) -> SupervisorLink:
        return self.host.reach_supervisor()

    def own_pids(self, link: SupervisorLink | None) -> list[int]:
        return []


class WorkerHost:
    """A worker process; after its end somebody or something starts it again."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine, self.engine = world, machine, world.engine
        self.mode = Mode.RUN
        self.worker: Worker | None = None
        self.frozen_until = 0.0
        self.settled_at = float("inf")
        self.client = SimClient(self.engine, world.queue_host, machine.link)
        world.worker_count += 1
        self.identity = WorkerIdentity(
            machine.queue_name,
            f"worker{world.worker_count}",
            boot_id=machine.boot_id,
            **machine.host,
        )
        self.dead_beat = ""
        self._tasks: list[Task] = []
        self._rung = self._subscribed = False
        self._heard: set[str] = set()
        self._turns = (0.0, 0)
        self.task = self.spawn(self._run, "worker")

    # --- its life -------------------------------------------------------------------------------

    def spawn(self, body: Callable[[], None], name: str) -> Task:
        task = self.engine.spawn(self.machine, body, f"{name} of {self.machine.name}")
        task.frozen_until = self.frozen_until
        self._tasks = [one for one in self._tasks if not one.done]
        self._tasks.append(task)
        return task

    def kill(self) -> None:
        for task in self._tasks:
            task.kill()
        self._gone()

    def _gone(self) -> None:
        if self.worker is not None and self.worker.session.link is not None:
            self.worker.session.link.close()
        if self.machine.name in self.world.workers:
            del self.world.workers[self.machine.name]

    def freeze(self, until: float) -> None:
        self.frozen_until = until
        for task in self._tasks:
            task.frozen_until = until

    def _run(self) -> None:
        try:
            self._work()
        except MlqError as error:
            self.engine.note(f"the worker leaves: {error.what}")
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"the worker crashed: {traceback.format_exc()}") from error
        self._gone()
        self.world.start_worker_later(self.machine)

    def _work(self) -> None:
        self.client.call("GET", "mlq:queue_id")
        settings = self.world.settings_of(self.machine)
        machine, nfs, scripts = self.machine, self.world.nfs, self.world.scripts
        context = SimContext(
            settings=settings,
            queue_id=QUEUE_ID,
            login={},
            key=KEY,
            mark_prefix=mark_prefix(machine),
            cwd="/",
            boot_id=machine.boot_id,
            identity=self.identity,
            limits=Limits(yield_to_others=False),
            probe=SimProbe(machine),  # type: ignore[arg-type]
            has_gpus=False,
            clocks=Clocks(machine.boot_s, machine.monotonic_s, machine.utc_s),
            new_reader=lambda _name, wake: SimReader(self, wake),  # type: ignore[arg-type, return-value]
            files=SimRootFiles(machine, nfs),
            # Only where the copy is needed: seeds that lose no data stay what they were.
            copy_files=SimCopyFiles(machine, nfs) if self.world.loss.is_planned else None,
        )
        object.__setattr__(context, "host", self)
        nameless = Store(self.client, QUEUE_ID, scripts=scripts)
        name = MachineName(context, nameless, self.ring)
        while (refusal := name.take()) is not None:
            if self.mode is not Mode.RUN:
                return
            self._wait(refusal.again_s)
        self.dead_beat = name.dead_beat
        store = Store(self.client, QUEUE_ID, self.identity, scripts)
        self.worker = worker = Worker(context, store, self.ring)
        while True:
            turn = worker.turn(self.mode)
            if turn.leaves:
                return
            self._listen(worker)
            if worker.is_settled:
                self.settled_at = min(self.settled_at, self.engine.now)
            if not turn.actions:
                self._wait(turn.wait_s)
                self._hear(worker)
            else:
                self.engine.sleep(_TURN_S)
                self._check_spinning()

    def _check_spinning(self) -> None:
        since, count = self._turns
        self._turns = (since, count + 1)
        if count > _SPINNING:
            if self.engine.now - since < 60:
                raise Violation(f"the worker took {count} turns in {self.engine.now - since} s")
            self._turns = (self.engine.now, 0)

    # --- what wakes it --------------------------------------------------------------------------

    def ring(self) -> None:
        """Wake the loop."""
        self._rung = True
        self.task.wake(self)

    def call(self, message: str) -> None:
        """The queue publishes a message."""
        if self._subscribed:
            self._heard.add(message)
            self.ring()

    def unsubscribe(self) -> None:
        """The subscription's connection breaks, and that is noticed."""
        self._subscribed = False
        self.ring()

    def _wait(self, seconds: float) -> None:
        if not self._rung:
            self.engine.wait(seconds, self)
        self._rung = False

    def _hear(self, worker: Worker) -> None:
        worker.session.hear()
        if self._heard:
            messages, self._heard = self._heard, set()
            worker.woken(messages)

    def _listen(self, worker: Worker) -> None:
        if not self._subscribed and not worker.queue_is_down:
            try:
                self.client.call("GET", "mlq:queue_id")
            except MlqError as error:
                worker.queue_failed(error)
                return
            self._subscribed = True

    def reach_supervisor(self) -> SupervisorLink:
        """Connect to the machine's supervisor, as `ensure_running` does."""
        engine, machine, world = self.engine, self.machine, self.world
        give_up_at = engine.now + _CONNECT_S
        while engine.now < give_up_at:
            host = world.supervisor(machine)
            if host is None:
                engine.sleep(engine.rng.uniform(0.1, 0.6))
                host = world.supervisor(machine) or world.start_supervisor(machine, self.dead_beat)
            ours, theirs = SimChannel.pair(engine, self.ring, host.wake)
            host.pending.append(theirs)
            host.wake()
            ours.send({"op": "hello", "protocol": PROTOCOL})
            while not ours.inbox and not ours.ending and engine.now < give_up_at:
                engine.wait(give_up_at - engine.now, self)
            events = ours.receive()
            if events:
                return SupervisorLink(ours, events[0], events[1:])  # type: ignore[arg-type]
            ours.close()
            engine.sleep(0.01)
        raise SupervisorError("the supervisor did not answer", why="simulated")
