"""How a command gets its tunnel: the tunnel is up already, or the command starts its keeper.

Imported only when the queue is on another host. The usual case, a tunnel that is up, takes a few
system calls; the modules for starting one are imported only when needed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from mlq.errors import TunnelError
from mlq.settings.settings import Settings
from mlq.tunnel.rendezvous import Rendezvous
from mlq.tunnel.target import Target

START_S = 60.0

_POLL_S = 0.02
_PROBE_S = 5.0
_ENDING_S = 1.0

# The tunnels this process uses; held to its end.
_uses: dict[Path, int] = {}


def shared_tunnel(settings: Settings) -> Path:
    """Return the socket of the tunnel that all commands of this user share; it is up.

    Raises:
        TunnelError: it cannot be brought up.
        UnsafePathError: its folder is not ours alone.
    """
    asked_s = time.time()
    target = Target.of(settings)
    place = Rendezvous.of(settings, target)
    if place.folder not in _uses:
        _uses[place.folder] = place.use()
    os.utime(_uses[place.folder])
    if not (place.socket.exists() and place.is_kept()):
        _wait_up(place, target, settings.tunnel_idle_s, asked_s)
    return place.socket


def proven_tunnel(settings: Settings) -> Path:
    """Return the same socket after making sure that it works, for a command whose connection broke.

    The keeper, too, notices that a connection is dead, and makes a new one; this waits for it.

    Raises:
        TunnelError: it cannot be brought up.
        UnsafePathError: its folder is not ours alone.
    """
    from mlq.tunnel.interface import Answer, ask

    began_s = time.monotonic()
    while True:
        path = shared_tunnel(settings)
        answer = ask(path, _PROBE_S)
        passed_s = time.monotonic() - began_s
        # A server that is just stopping closes connections, too, but only for a moment.
        no_server = answer is Answer.CLOSED and passed_s > _ENDING_S
        if answer is Answer.YES or no_server or passed_s > START_S:
            return path
        time.sleep(_POLL_S)


def _wait_up(place: Rendezvous, target: Target, idle_s: float, asked_s: float) -> None:
    started = False
    while True:
        lock = place.lock()
        failure = place.failure(asked_s)
        if lock is None:
            if place.socket.exists():
                return
        else:
            try:
                if failure is None:
                    if started:
                        raise _keeper_ended(place)
                    place.socket.unlink(missing_ok=True)  # left by a keeper that was killed
                    _start_keeper(place, target, idle_s, lock)
                    started = True
            finally:
                os.close(lock)
        if failure is not None:
            raise failure
        if time.time() - asked_s > START_S:
            raise TunnelError(
                f"the tunnel to {target.way} is not up after {START_S:g} s",
                fix=f"its log: {place.log}; try it by hand: {target.by_hand}",
            )
        time.sleep(_POLL_S)


def _start_keeper(place: Rendezvous, target: Target, idle_s: float, lock: int) -> None:
    import subprocess
    import sys

    with place.log.open("wb") as log:
        place.log.chmod(0o600)
        # -P: a folder named `queue` or `mlq` where the command was typed must not be imported.
        subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "mlq.tunnel.shared_daemon"),
                *(str(place.folder), target.to_json(), str(idle_s)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.folder,
            pass_fds=[lock],  # which keeps the lock for as long as the keeper lives
            start_new_session=True,
        )


def _keeper_ended(place: Rendezvous) -> TunnelError:
    lines = place.log.read_text(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    return TunnelError("the tunnel's keeper ended", why=last, fix=f"its log: {place.log}")
