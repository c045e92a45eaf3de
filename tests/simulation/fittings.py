"""What stands in for sockets, the listener, the beat's thread and the threads of the launcher."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from mlq.files.layout import Layout
from mlq_worker.supervisor.heartbeat import HeartbeatWriter
from mlq_worker.supervisor.listener import WorkerListener
from simulation.engine import Engine, Task
from simulation.machine import Machine

HOP_S = 0.0005  # from one process to the next


class SimChannel:
    """One end of a connection within a machine; stands in for `Channel`.

    Args:
        engine: simulated time.
        wake: called when something has arrived.
    """

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine, self.wake = engine, wake
        self.peer: SimChannel | None = None
        self.inbox: list[Any] = []
        self.closed = self.ending = False
        self.unsent_bytes = 0

    @classmethod
    def pair(
        cls, engine: Engine, wake: Callable[[], None], other: Callable[[], None]
    ) -> tuple[SimChannel, SimChannel]:
        one, two = cls(engine, wake), cls(engine, other)
        one.peer, two.peer = two, one
        return one, two

    def fileno(self) -> int:
        return -1

    def watch(self, poll: object) -> None:
        """Nothing to prepare."""

    def flush(self) -> None:
        """Nothing is ever unsent."""

    def send(self, message: Mapping[str, Any]) -> None:
        peer = self.peer
        if self.closed or peer is None or peer.closed:
            self.closed = True
            return
        whole = json.loads(json.dumps(message))

        def arrive() -> None:
            if not peer.closed:
                peer.inbox.append(whole)
                peer.wake()

        self._engine.after(HOP_S, arrive)

    def receive(self) -> list[Any]:
        messages, self.inbox = self.inbox, []
        if self.ending:
            self.closed = True
        return messages

    def close(self) -> None:
        self.closed = True
        peer = self.peer
        if peer is not None and not peer.closed:

            def hang_up() -> None:
                peer.ending = True
                peer.wake()

            self._engine.after(HOP_S, hang_up)


class SimListener(WorkerListener):
    """The real listener; what connects comes from the simulation."""

    def __init__(self, waiting: list[SimChannel], host: Any) -> None:
        super().__init__((), host.poll(), host.note)
        self._waiting = waiting

    def change(self) -> None:
        worker = self._worker
        if worker is not None and worker.closed:
            self.close()
        if self._waiting:
            self.close()
            self._worker = self._waiting.pop(0)  # type: ignore[assignment]
            self._worker.wake()  # it may have spoken already


class SimBeats(HeartbeatWriter):
    """The real thread of beats, as a task."""

    def __init__(self, machine: Machine, nfs: Any, *how: Any) -> None:
        super().__init__(*how)
        self._machine, self._nfs = machine, nfs
        engine, stopped = machine.engine, [False]
        self._stop = SimpleNamespace(  # type: ignore[assignment]
            is_set=lambda: stopped[0],
            set=lambda: stopped.__setitem__(0, True),
            wait=engine.sleep,
        )
        self.task: Task | None = None

    def start(self) -> None:
        self.task = self._machine.engine.spawn(self._machine, self._run, "beat")

    def _put(self, root: Layout) -> None:
        path = root.beat_file(self._machine.queue_name)
        self._guard.check(self._nfs.read(self._machine, path), self._machine.boot_s())
        self._nfs.write(self._machine, path, self._content())


class SimPool:
    """Stands in for `Pool`: its threads are tasks."""

    def __init__(self, size: int, machine: Machine, wake: Callable[[], None]) -> None:
        self._size, self._machine, self._wake = size, machine, wake
        self._waiting: deque[Callable[[], Callable[[], None]]] = deque()
        self._done: deque[Callable[[], None]] = deque()
        self.tasks: list[Task] = []

    def submit(self, call: Callable[[], Callable[[], None]]) -> None:
        self._waiting.append(call)
        self.tasks = [task for task in self.tasks if not task.done]
        if len(self.tasks) < self._size:
            self.tasks.append(self._machine.engine.spawn(self._machine, self._run, "files"))

    def _run(self) -> None:
        while self._waiting:
            self._done.append(self._waiting.popleft()())
            self._wake()

    def tick(self, _now: float) -> float:
        return float("inf")

    def collect(self) -> None:
        while self._done:
            self._done.popleft()()
