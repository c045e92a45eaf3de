"""The worker's loop: look, decide, act.

This file is the edge: it holds the connections, turns what they say into facts, lets
`decide.decide` choose, and carries the actions out. It may be killed at any time: what it knew is
also in the supervisor, on NFS and in the queue, and the next worker's first turn finds it there.
"""

from __future__ import annotations

import ctypes
import logging
import os
import select
import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple, Protocol

from mlq.errors import MlqError, QueueRefusedError, QueueUnreachableError
from mlq.files.locks import is_locked
from mlq.files.paths import machine_dir, read_password
from mlq.settings.settings import Settings
from mlq.store import keys
from mlq.store.connection import open_client
from mlq.store.store import Store
from mlq.store.wire import Subscription, UnixClient
from mlq_worker.agent.context import find_context
from mlq_worker.agent.facts import Mode
from mlq_worker.agent.machine_name import own_name
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.agent.queue_link import queue_reached
from mlq_worker.agent.turn import Worker
from mlq_worker.allocation.inside import Inside
from mlq_worker.ipc.host import LinuxHost
from mlq_worker.ipc.processes import end_all_below

log = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_END_S = 5.0
WAITING = "not working yet: "  # how the status begins until it works
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 15.0
_DOING = {
    Mode.RUN: "",
    Mode.DRAIN: "draining; ",
    Mode.HANDOVER: "leaving; ",
    Mode.RELEASE: "handing its jobs back; ",
}
_LEAVES = {
    Mode.DRAIN: "leaving; its last job has ended",
    Mode.HANDOVER: "leaving; its jobs go on, and the next worker adopts them",
    Mode.RELEASE: "leaving; its jobs are back in the queue",
}
_MODES = {
    signal.SIGTERM: Mode.HANDOVER,
    signal.SIGINT: Mode.HANDOVER,
    signal.SIGUSR1: Mode.DRAIN,
    signal.SIGUSR2: Mode.RELEASE,
}


class Notify(Protocol):
    """Tells the process that started the worker how the worker is doing."""

    def ready(self, status: str) -> None:
        """Report that the worker works, with its status in one line."""

    def status(self, status: str) -> None:
        """Report the worker's status in one line."""


def run(
    settings: Settings,
    options: WorkerOptions,
    notify: Notify,
    *,
    keep_trying: bool,
    inside: Inside | None = None,
) -> None:
    """Run the worker until it is told to leave.

    Args:
        settings: of this installation; they name the machine.
        options: what the worker may give to jobs.
        notify: is told when the worker works, and its status.
        keep_trying: if it cannot start, say why and try again for ever. After a boot the network,
            the queue's host or NFS may come up later than the worker.
        inside: the allocation of a batch system around it; None: there is none.

    Raises:
        MlqError: it cannot start: no queue, no supervisor, no results root.
    """
    with Waker(leaves_nothing=inside is not None) as waker, _alone(inside):
        told = ""
        for pause_s in _pauses_s():
            try:
                with queue_reached(settings) as (here, link_trouble):
                    around = _Around(inside, link_trouble, here is not settings)
                    _run(here, options, notify, waker, around, keep_trying=keep_trying)
            except MlqError as error:
                if not keep_trying:
                    raise
                if str(error) != told:
                    told = str(error)
                    log.warning("%s", told)
                notify.status(f"{WAITING}{told}")
                waker.wait(pause_s)
                if waker.mode is not Mode.RUN and not _is_supervised(settings):
                    return
            else:
                return


class _Around(NamedTuple):
    """What is around the worker; the fields are those of `MachineContext`."""

    inside: Inside | None
    link_trouble: Callable[[], str]
    tunnel: bool


@contextmanager
def _alone(inside: Inside | None) -> Iterator[None]:
    """In an allocation, be the last process: what the worker's children leave comes to it."""
    if inside is None:
        yield
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        end_all_below(LinuxHost(), os.getpid(), _END_S)


def _is_supervised(settings: Settings) -> bool:
    """Return whether a supervisor runs, which may hold jobs of the previous worker."""
    return is_locked(machine_dir(settings.runtime_dir, settings.machine) / "supervisor.lock")


def _pauses_s() -> Iterator[float]:
    """Yield how long to wait between tries to start, in seconds: longer and longer at first."""
    pause_s = _FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _run(
    settings: Settings,
    options: WorkerOptions,
    notify: Notify,
    waker: Waker,
    around: _Around,
    *,
    keep_trying: bool,
) -> None:
    client = open_client(settings)
    found = find_context(settings, options, client, around.inside)
    context = replace(found, tunnel=around.tunnel, link_trouble=around.link_trouble)
    # Leave the folder in which the user started the worker: the user may want to unmount it.
    # Functions enqueued with plain rq still run there, since their modules lie there.
    os.chdir(machine_dir(settings.runtime_dir, settings.machine))
    context = own_name(
        context,
        Store(client, context.queue_id),
        waker,
        lambda why: notify.status(f"{WAITING}{why}"),
        keep_trying=keep_trying,
    )
    worker = Worker(
        context, Store(client, context.queue_id, context.identity), waker.ring, options.idle_s
    )
    loop = Loop(worker, waker, lambda: _listen(settings))
    waker.starting = False
    loop.run(notify)
    worker.session.wait_for_end()


def _listen(settings: Settings) -> Subscription:
    password = read_password(settings.password_file)
    wire = UnixClient(settings.redis_socket, settings.redis_user, password)
    return Subscription(wire, keys.WAKE)


class Waker:
    """Wakes the loop from signals and threads; keeps the operator's latest wish.

    While the worker is only starting it holds nothing, so a signal to leave ends it at once,
    even in the middle of a wait.

    Args:
        leaves_nothing: whether a worker that leaves takes its supervisor along, so that one that
            only starts has nothing to hand over or back.
    """

    def __init__(self, *, leaves_nothing: bool = False) -> None:
        self._leaves_nothing = leaves_nothing
        self._here, self._there = socket.socketpair()
        for end in (self._here, self._there):
            end.setblocking(False)
        self.mode = Mode.RUN
        self.starting = True

    def __enter__(self) -> Waker:
        signal.set_wakeup_fd(self._there.fileno(), warn_on_full_buffer=False)
        for number in _MODES:
            signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._here.fileno()

    @property
    def stop_requested(self) -> bool:
        """Whether the operator wants the worker to end, one way or another."""
        return self.mode is not Mode.RUN

    def ring(self) -> None:
        """Wake the loop; may be called from any thread."""
        try:
            self._there.send(b"\0")
        except BlockingIOError:
            return  # a ring is pending already

    def quiet(self) -> None:
        """Clear all pending rings."""
        try:
            while self._here.recv(4096):
                pass
        except BlockingIOError:
            return

    def wait(self, timeout_s: float) -> None:
        """Wait until it rings, for `timeout_s` at most."""
        select.select([self], [], [], timeout_s)
        self.quiet()

    def _heard(self, number: int, _frame: object) -> None:
        self.mode = _MODES[signal.Signals(number)]
        if self.starting and (self.mode is Mode.HANDOVER or self._leaves_nothing):
            raise SystemExit(0)


class Loop:
    """Waits for something to happen and takes turns."""

    def __init__(self, worker: Worker, waker: Waker, listen: Callable[[], Subscription]) -> None:
        self._worker, self._waker, self._listen = worker, waker, listen
        self._selector = selectors.DefaultSelector()
        self._selector.register(waker, selectors.EVENT_READ, waker.quiet)
        self._heard: Subscription | None = None
        self._watched_link: object = None

    def run(self, notify: Notify) -> None:
        """Take turns until a turn says to leave."""
        said_ready = False
        while True:
            turn = self._worker.turn(self._waker.mode)
            if turn.leaves:
                log.info("%s", _LEAVES.get(turn.facts.mode, "leaving"))
                return
            self._watch()
            if not said_ready and self._worker.is_settled:
                notify.ready(self._worker.summary())
                log.info("working; %s", self._worker.summary())
                said_ready = True
            if not turn.actions:
                if said_ready:
                    notify.status(_DOING[turn.facts.mode] + self._worker.summary())
                self._wait(turn.wait_s)

    def _wait(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def _watch(self) -> None:
        """Keep listening to the supervisor and to the queue's wake-up calls."""
        link = self._worker.session.link
        if link is not self._watched_link:
            if self._watched_link is not None:
                self._unregister(self._watched_link)
            self._watched_link = link
            if link is not None:
                self._selector.register(link, selectors.EVENT_READ, self._worker.session.hear)
        elif link is not None:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_write else 0)
            self._selector.modify(link, events, self._worker.session.hear)
        if self._heard is None and not self._worker.queue_is_down:
            try:
                self._heard = self._listen()
            except (QueueUnreachableError, QueueRefusedError) as error:
                self._worker.queue_failed(error)
                return
            self._selector.register(self._heard, selectors.EVENT_READ, self._hear_queue)

    def _hear_queue(self) -> None:
        if self._heard is None:
            return
        try:
            self._worker.woken(set(self._heard.messages()))
        except QueueUnreachableError as error:
            self._unregister(self._heard)
            self._heard.close()
            self._heard = None
            self._worker.queue_failed(error)

    def _unregister(self, what: object) -> None:
        # A closed socket has lost the descriptor under which it was registered.
        for key in list(self._selector.get_map().values()):
            if key.fileobj is what:
                self._selector.unregister(key.fileobj)
