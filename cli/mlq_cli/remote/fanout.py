"""Runs one task on many machines at once.

Each machine has a thread that mostly waits for its `ssh`. The number of simultaneous logins is
limited, because an sshd refuses more than ten connections that have not logged in yet
(`MaxStartups`), and a gateway is one sshd for all machines. Each login that succeeds makes room for
the next one, so a slow machine delays no other.
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
    """How a task on one machine reports: that it has logged in, and its progress."""

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
    """Run a task on each machine, and wait for all of them.

    Args:
        ssh: what the task uses; Ctrl-C ends its commands.
        machines: their names.
        task: called in a thread of its own; if it raises `MlqError`, that becomes its outcome.
        show: called repeatedly with what each machine does now.
        at_once: the largest number of simultaneous logins.

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
    """One of the slots, until `let_go` or the end of the context; `let_go` may be called twice."""

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
        """Leave the slot to another thread."""
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
