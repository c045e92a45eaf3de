"""Keeps a tunnel up: connects, watches, connects again.

This module does not know which ssh is used. A connector makes one connection, or raises an error
that says why it could not; this module decides when to make the next. The delay grows from half a
second to half a minute and is randomized, so that the machines of a whole lab, cut off together, do
not all reconnect to the gateway at the same instant.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from mlq.errors import MlqError, TunnelError
from mlq.files.locks import identity_of
from mlq.files.paths import check_socket_path, private_dir
from mlq.files.residence import EVERY_S, YOUNG_S, FolderLocks, keep_young, our_folders
from mlq.tunnel.interface import Answer, TunnelState, ask

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
PROBE_S = 5.0

_STABLE_S = 10.0
_LOOK_S = 0.25
_STOP_S = 15.0
# The files that may be there and that cleaners should spare.
_FILES = ("sock", "ctl", "ssh_config", "lock", "log", "state.json")


class Link(Protocol):
    """One connection to the queue's host that forwards a socket."""

    def lost(self, timeout_s: float) -> str:
        """Wait so many seconds for its end; return why it ended, "" while it holds."""

    def close(self) -> None:
        """End it."""


class Connector(Protocol):
    """Makes connections."""

    def __call__(self, halt: threading.Event) -> Link:
        """Connect; give up early when `halt` is set.

        Raises:
            MlqError: it cannot.
            OSError: something failed on this machine.
        """


def delay_s(failures: int, chance: float) -> float:
    """Return how many seconds to wait before the next attempt.

    Args:
        failures: how many attempts have failed in a row.
        chance: a random number from 0 to 1; spreads the delay from half to one and a half times.
    """
    return min(FIRST_DELAY_S * 2.0 ** min(failures, 16), LONGEST_DELAY_S) * (0.5 + chance)


class SupervisedTunnel:
    """A `mlq.tunnel.Tunnel` over any connector.

    Args:
        folder: private to this tunnel; its socket is made there.
        connect: makes one connection.
        on_change: called with the state whenever it changes, in the tunnel's own thread.
        chance: a random number from 0 to 1.
    """

    def __init__(
        self,
        folder: Path,
        connect: Connector,
        *,
        on_change: Callable[[TunnelState], None] = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.socket = folder / "sock"
        self._folder, self._connect = folder, connect
        self._on_change, self._chance = on_change, chance
        self._cared_s = self._touched_s = 0.0
        self._folders = FolderLocks(our_folders(folder))
        self._state = TunnelState(up=False, since_s=time.monotonic())
        self._changed = threading.Condition()
        self._halt, self._wanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="tunnel", daemon=True)

    @property
    def state(self) -> TunnelState:
        """The state now."""
        return self._state

    def start(self) -> None:
        """Begin to connect, in the background.

        Raises:
            UnsafePathError: its folder is not ours alone.
            SettingsError: its socket's path is too long.
        """
        private_dir(self._folder)
        check_socket_path(self.socket)
        self._thread.start()

    def stop(self) -> None:
        """Close it and all connections through it."""
        self._halt.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def nudge(self) -> None:
        """Connect without delay, for a user who waits; if it is up, make sure that it works."""
        self._wanted.set()

    def wait_up(self, timeout_s: float) -> None:
        """Wait until it is up; see `mlq.tunnel.Tunnel`."""
        asked_s = time.monotonic()
        self.nudge()
        with self._changed:
            self._changed.wait_for(
                lambda: self._state.up or self._state.tried_s >= asked_s, timeout_s
            )
            state = self._state
        if not state.up:
            raise state.last_error or TunnelError(
                "the tunnel to the queue's host is not up", why=f"no word after {timeout_s:g} s"
            )

    def _run(self) -> None:
        failures = 0
        while not self._halt.is_set():
            self._wanted.clear()
            tried_s = time.monotonic()
            error = self._one_connection(tried_s)
            if error is None:
                self._change(replace(self._state, up=False, since_s=time.monotonic()))
                return
            lasted_s = time.monotonic() - self._state.since_s if self._state.up else 0.0
            failures = 1 if lasted_s >= _STABLE_S else failures + 1
            self._is_down(tried_s, error)
            self._wanted.wait(delay_s(failures - 1, self._chance()))

    def _one_connection(self, tried_s: float) -> TunnelError | None:
        """Connect and watch until the connection ends; return why, None if asked to stop."""
        try:
            self._folders.renew()
            link = self._connect(self._halt)
        except Exception as error:  # noqa: BLE001 - no library's fault must end it for good
            return None if self._halt.is_set() else _as_tunnel_error(error)
        ours = identity_of(self.socket)
        try:
            self._is_up(tried_s)
            why = self._watch(link, ours)
        finally:
            # The order matters: a client that loses a connection and retries must not find a dead
            # socket.
            if identity_of(self.socket) == ours:
                self.socket.unlink(missing_ok=True)
            link.close()
        return TunnelError("the tunnel to the queue's host broke", why=why) if why else None

    def _watch(self, link: Link, ours: tuple[int, int] | None) -> str:
        self._wanted.clear()
        while not self._halt.is_set():
            why = link.lost(_LOOK_S)
            if why:
                return why
            if identity_of(self.socket) != ours:
                return f"{self.socket} was removed"
            self._care_for_folder()
            if self._wanted.is_set():
                self._wanted.clear()
                if ask(self.socket, PROBE_S) is Answer.SILENCE:
                    return f"no answer for {PROBE_S:g} s"
        return ""

    def _care_for_folder(self) -> None:
        """Protect the folder from cleaners; see `mlq.files.residence`."""
        now_s = time.monotonic()
        if now_s - self._cared_s < EVERY_S:
            return
        self._cared_s = now_s
        with suppress(MlqError, OSError):
            self._folders.renew()
        if now_s - self._touched_s >= YOUNG_S:
            self._touched_s = now_s
            keep_young(self._folder, _FILES)

    def _is_up(self, tried_s: float) -> None:
        now_s, before = time.monotonic(), self._state
        again = before.last_error is not None
        self._change(
            replace(
                before,
                up=True,
                since_s=now_s,
                tried_s=tried_s,
                restarts=before.restarts + again,
                outage_s=now_s - before.since_s if again else 0.0,
            )
        )
        log.info("the tunnel is up")

    def _is_down(self, tried_s: float, error: TunnelError) -> None:
        before = self._state
        if str(error) != str(before.last_error) or before.up:
            log.warning("%s", "; ".join(str(error).split("\n  ")))
        since_s = time.monotonic() if before.up else before.since_s
        self._change(replace(before, up=False, since_s=since_s, tried_s=tried_s, last_error=error))

    def _change(self, state: TunnelState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
        self._on_change(state)


def _as_tunnel_error(error: Exception) -> TunnelError:
    if isinstance(error, TunnelError):
        return error
    if isinstance(error, MlqError):
        return TunnelError(error.what, why=error.why, fix=error.fix)
    if isinstance(error, OSError):
        why = error.strerror or str(error)
    else:
        log.error("unexpected", exc_info=error)
        why = f"{type(error).__name__}: {error}"
    return TunnelError("cannot open the tunnel to the queue's host", why=why)
