"""Sends the signals that users send to running jobs: the edge around `audience.addressed`.

Like `notices` it reads only /proc. A signal that no process handles yet, as while the program still
imports PyTorch, waits until one does or the job is told to end; one that ends or stops processes
waits for nothing. Invariant: no process gets the same request twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mlq_worker.ipc import processes, procfs
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.procfs import Target
from mlq_worker.supervisor.audience import Manner, addressed

_SOON_S = 0.01  # until a job that has hardly started is looked at again
_AGAIN_S, _AGAIN_MAX_S = 0.1, 2.0  # until a signal that no process handles is tried again


class Request(NamedTuple):
    """A signal that a user sends.

    Args:
        target: to whose processes.
        number: the signal.
        whom: to which of them (`mlq.jobs.signals`).
        waits: whether it may wait for a handler; not in a job that was told to end already.
    """

    target: Target
    number: int
    whom: str
    waits: bool = True


class _Waiting(NamedTuple):
    request: Request
    at: float
    pause_s: float


class Requests:
    """The signals that are still to be sent.

    Args:
        host: where the jobs run.
        manner_of: how a process, by its pid, takes a signal.
    """

    def __init__(self, host: Host, manner_of: Callable[[int, int], Manner]) -> None:
        self._host, self._manner_of = host, manner_of
        self._waiting: list[_Waiting] = []

    def add(self, requests: Iterable[Request]) -> None:
        """Send these at the next `send`."""
        self._waiting += [_Waiting(one, 0.0, _AGAIN_S) for one in requests]

    def drop(self, targets: Iterable[Target]) -> None:
        """Send these jobs nothing more that has waited until now: they are told to end."""
        ended = set(targets)
        if ended:
            self._waiting = [one for one in self._waiting if one.request.target not in ended]

    def send(self, paused: Callable[[], set[Target]]) -> None:
        """Send what is due, but nothing to a paused job.

        Args:
            paused: returns which jobs are; a signal could let them go on.
        """
        now = self._host.boottime()
        if all(one.at > now for one in self._waiting):
            return
        table, spared = self._host.look(), paused()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if one.at > now:
                self._waiting.append(one)
            elif one.request.target in spared:
                self._waiting.append(one._replace(at=now + _AGAIN_MAX_S))
            elif procfs.lives(one.request.target, table):
                self._waiting += self._sent(one, table, now)

    def _sent(self, one: _Waiting, table: dict[int, procfs.Process], now: float) -> list[_Waiting]:
        """Send one signal; return it again if it has to wait."""
        request = one.request
        first = procfs.leader_of(request.target, table)
        if first is None:
            return [one._replace(at=now + _SOON_S)]  # it is about to start, or has just ended
        number = request.number
        told = addressed(
            first, table, lambda pid: self._manner_of(pid, number), number, request.whom
        )
        if told is None and not request.waits:
            return []
        if told is None:
            again_s = min(2 * one.pause_s, _AGAIN_MAX_S)
            return [one._replace(at=now + one.pause_s, pause_s=again_s)]
        for process in told:
            processes.send(self._host, process, number)
        return []

    @property
    def wait_s(self) -> float:
        """Return in how many seconds there is something to do."""
        soonest = min((one.at for one in self._waiting), default=float("inf"))
        return max(0.0, soonest - self._host.boottime())
