"""Simulated time: one event after another, and tasks that may wait in the middle of real code.

The worker's code blocks where the real one does (in a call to Redis, in a read from NFS), so each
of its threads is a task on a thread of its own. Invariant: exactly one thread runs at any instant,
and what runs next is decided by simulated time and by the seed alone; a seed replays exactly.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

LEAST_S = 1e-4  # no wait is shorter: rounding must not make time stand still


class Violation(AssertionError):  # noqa: N818 - it is what the proof looks for, not an accident
    """An invariant does not hold."""


class Killed(BaseException):
    """Thrown into a task whose process was killed; no product code catches it."""


class Baton:
    """Passed from thread to thread; a plain lock, which is much quicker than a semaphore."""

    def __init__(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        self.acquire, self.release = lock.acquire, lock.release


class Place(Protocol):
    """Where a task runs."""

    name: str
    frozen_until: float


class Timer:
    """Something that is to happen; `cancel` it and it does not."""

    __slots__ = ("do",)

    def __init__(self, do: Callable[[], None]) -> None:
        self.do: Callable[[], None] | None = do

    def cancel(self) -> None:
        self.do = None


class Engine:
    """The clock of the world, its chance, and its story."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.now = 0.0
        self.here: Any = None
        """The machine whose code runs."""
        self.current: Task | None = None
        self.story: list[tuple[float, str, str]] = []
        self.events = 0
        self.baton = Baton()
        self._heap: list[tuple[float, int, Timer]] = []
        self._number = itertools.count()
        self._tasks: set[Task] = set()

    # --- events ---------------------------------------------------------------------------------

    def at(self, when: float, do: Callable[[], None]) -> Timer:
        timer = Timer(do)
        heapq.heappush(self._heap, (max(when, self.now), next(self._number), timer))
        return timer

    def after(self, delay_s: float, do: Callable[[], None]) -> Timer:
        return self.at(self.now + delay_s, do)

    def step(self) -> None:
        """Let the next event happen."""
        self.now, _, timer = heapq.heappop(self._heap)
        if timer.do is not None:
            self.events += 1
            timer.do()

    def quiet_until(self) -> float:
        """Until when nothing else happens."""
        while self._heap and self._heap[0][2].do is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else float("inf")

    def note(self, text: str, who: str | None = None) -> None:
        """Add a line to the story; `who` is where it happens, by default whose code runs."""
        name = who if who is not None else self.here.name if self.here else ""
        self.story.append((self.now, name, text))

    # --- tasks ----------------------------------------------------------------------------------

    def spawn(self, place: Place, body: Callable[[], None], name: str) -> Task:
        task = Task(self, place, body, name)
        self._tasks.add(task)
        self.after(0, task.resume)
        return task

    def ended(self, task: Task) -> None:
        self._tasks.discard(task)

    def sleep(self, seconds: float) -> None:
        """Wait, in a task."""
        self.wait(seconds, None)

    def wait(self, seconds: float, token: object) -> None:
        """Wait in a task until the time has passed or somebody calls `task.wake(token)`."""
        task = self.current
        if task is None:
            raise RuntimeError("only a task can wait")
        until = self.now + max(LEAST_S, seconds)
        if token is None and until < self.quiet_until():
            self.now = until  # nothing can happen meanwhile
            return
        task.pause(until, token)

    def close(self) -> None:
        """End all tasks."""
        for task in list(self._tasks):
            task.kill()


class Task:
    """One thread of a simulated process."""

    def __init__(self, engine: Engine, place: Place, body: Callable[[], None], name: str) -> None:
        self._engine, self._place, self._body = engine, place, body
        self.name = name
        self.frozen_until = 0.0
        self.done = False
        self._started = self._killed = False
        self._token: object = None
        self._timer: Timer | None = None
        self._go = Baton()
        self._error: BaseException | None = None

    # --- from outside ---------------------------------------------------------------------------

    def resume(self) -> None:
        engine = self._engine
        if self.done:
            return
        thaw_s = max(self.frozen_until, self._place.frozen_until)
        if engine.now < thaw_s:
            self._timer = engine.at(thaw_s, self.resume)
            self._token = None
            return
        self._timer, self._token = None, None
        self._switch()

    def wake(self, token: object) -> bool:
        """Wake the task if it waits for this; returns whether it did."""
        if self._token is not token or token is None or self._timer is None:
            return False
        self._timer.cancel()
        self._token = None
        self._timer = self._engine.at(self._engine.now, self.resume)
        return True

    def kill(self) -> None:
        """End the task where it is; not from within a task."""
        if self.done:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not self._started:
            self.done = True
            self._engine.ended(self)
            return
        self._killed = True
        self._switch()

    def _switch(self) -> None:
        engine = self._engine
        if engine.current is not None:
            raise RuntimeError("a task cannot run another")
        before, engine.here, engine.current = engine.here, self._place, self
        if not self._started:
            self._started = True
            _run_in_thread(self._run, engine.baton)
        else:
            self._go.release()
        engine.baton.acquire()
        engine.here, engine.current = before, None
        if self.done:
            engine.ended(self)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    # --- from inside ----------------------------------------------------------------------------

    def pause(self, until: float, token: object) -> None:
        self._timer = self._engine.at(until, self.resume)
        self._token = token
        self._engine.baton.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def _run(self) -> None:
        try:
            self._body()
        except Killed:
            self._error = None
        except BaseException as error:  # noqa: BLE001 - thrown on in the engine's thread
            self._error = error
        self.done = True


class _Runner:
    """A thread that runs one task after another; making threads is slow."""

    idle: list[_Runner] = []  # noqa: RUF012 - one pool for all engines, which run one at a time

    def __init__(self) -> None:
        self._given: tuple[Callable[[], None], Baton]
        self._go = Baton()
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, body: Callable[[], None], after: Baton) -> None:
        self._given = body, after
        self._go.release()

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            body, after = self._given
            body()
            self.idle.append(self)
            after.release()


def _run_in_thread(body: Callable[[], None], after: Baton) -> None:
    (_Runner.idle.pop() if _Runner.idle else _Runner()).run(body, after)
