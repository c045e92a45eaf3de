"""One task on many machines at once.

Each machine has a thread that mostly waits for its `ssh`. Only so many are on their way in at one
time, because an sshd turns away newcomers beyond ten that have not logged in yet (`MaxStartups`),
and a gateway is one sshd for all of them. A machine that is done makes room, so a slow one holds up
no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from mlq.errors import MlqError
from mlq_cli.remote.outcome import Outcome
from mlq_cli.remote.ssh import Ssh

CONNECTING_AT_ONCE = 8

_DRAW_S = 0.1


@dataclass(frozen=True, slots=True)
class Way:
    """What a task on one machine has to tell: that it got in, and how far it is."""

    connected: Callable[[], None]
    told: Callable[[str], None]


Task = Callable[[str, Way], Outcome]
Show = Callable[[dict[str, str]], None]


def on_all(
    ssh: Ssh,
    machines: Sequence[str],
    task: Task,
    *,
    show: Show = lambda _: None,
    at_once: int = CONNECTING_AT_ONCE,
) -> list[Outcome]:
    """Do a task on each machine, and wait for the last.

    Args:
        ssh: what the task uses; Ctrl-C ends its commands.
        machines: their names.
        task: called in a thread of its own; a `MlqError` of it becomes its outcome.
        show: called again and again with what each machine does now.
        at_once: how many may be on their way in at one time.

    Returns:
        The outcomes, in the order of the machines.
    """
    slots = threading.Semaphore(at_once)
    doing = dict.fromkeys(machines, "waiting")

    def work(machine: str) -> Outcome:
        with _Slot(slots) as slot:
            doing[machine] = "connecting"

            def connected() -> None:
                doing[machine] = "connected"
                slot.let_go()

            def told(line: str) -> None:
                doing[machine] = line

            outcome = _tried(task, machine, Way(connected, told))
        doing[machine] = outcome.says
        return outcome

    pool = ThreadPoolExecutor(max_workers=max(1, len(machines)))
    futures = [pool.submit(work, machine) for machine in machines]
    try:
        _watch(futures, lambda: show(dict(doing)))
    except BaseException:
        ssh.end()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


class _Slot:
    """One of the slots, until it is let go or the context ends; letting go twice is once."""

    def __init__(self, slots: threading.Semaphore) -> None:
        self._slots = slots
        self._lock, self._held = threading.Lock(), False

    def __enter__(self) -> _Slot:
        self._slots.acquire()
        self._held = True
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Leave it to another thread."""
        with self._lock:
            held, self._held = self._held, False
        if held:
            self._slots.release()


def _tried(task: Task, machine: str, way: Way) -> Outcome:
    try:
        return task(machine, way)
    except MlqError as error:
        return Outcome.of_error(machine, error)


def _watch(futures: Sequence[Future[Outcome]], draw: Callable[[], None]) -> None:
    left = set(futures)
    drawn_s = 0.0
    while left:
        done, left = wait(left, timeout=_DRAW_S, return_when=FIRST_COMPLETED)
        for one in done:
            one.result()
        if time.monotonic() - drawn_s >= _DRAW_S or not left:
            draw()
            drawn_s = time.monotonic()
