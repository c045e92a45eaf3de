"""The process that keeps the commands' tunnel up: `python -P -m mlq.tunnel.shared_daemon`.

Started by the first command that needs it (`mlq.tunnel.shared_client`), it stays while it is used
and for `tunnel_idle_s` afterwards, so that later commands need not wait for ssh. It inherits and
holds `lock` of its folder, so the kernel makes sure that there is only one keeper.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path

from mlq.errors import MlqError
from mlq.files.kernel_names import hold
from mlq.files.residence import FolderLocks, our_folders
from mlq.tunnel.factory import new_tunnel
from mlq.tunnel.interface import Tunnel, TunnelState
from mlq.tunnel.rendezvous import Rendezvous, UseLocks
from mlq.tunnel.target import Target

_LOOK_S = 0.5
# Seconds. A tunnel that is down and that no command waits for is not kept; the next command reports
# why it fails.
_IDLE_DOWN_S = 1.0


def patience_s(state: TunnelState, idle_s: float) -> float:
    """Return how many seconds to stay without use."""
    if state.up:
        return idle_s
    return _IDLE_DOWN_S if state.tried_s else float("inf")


class Again:
    """Restores what a cleaner took from the keeper: the folder and the lock.

    Args:
        place: where commands look for the keeper.
    """

    def __init__(self, place: Rendezvous) -> None:
        self._place = place
        self._folders = FolderLocks(our_folders(place.folder))

    def renew(self) -> None:
        """Make lost files again.

        Raises:
            UnsafePathError: another user has the folder now.
        """
        self._folders.renew()
        # Held until this process ends; while the file is in place, it is ours already and nothing
        # happens.
        self._place.retake_lock()


def keep(place: Rendezvous, tunnel: Tunnel, idle_s: float, halt: threading.Event) -> None:
    """Keep a started tunnel up until it has been idle for `idle_s`; then stop it.

    Args:
        place: where commands show that they use it.
        tunnel: the tunnel.
        idle_s: how long to stay unused.
        halt: set from outside to leave at once.
    """
    uses, again = UseLocks(place), Again(place)
    used_s, used_ns = time.monotonic(), uses.last_use_ns()
    while not halt.wait(_LOOK_S):
        again.renew()
        now_s, now_ns = time.monotonic(), uses.last_use_ns()
        if now_ns != used_ns:
            used_s, used_ns = now_s, now_ns
            tunnel.nudge()
        # Once taken, it is held to the end: a command that comes now waits, and starts a new
        # keeper.
        if not uses.take_if_unused():
            used_s = now_s
        elif now_s - used_s >= patience_s(tunnel.state, idle_s):
            break
        else:
            uses.release()
    tunnel.stop()


def main(folder: str, target: str, idle_s: str) -> int:
    """Keep the tunnel to a target (as JSON) up; return the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    halt = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: halt.set())
    place = Rendezvous(Path(folder))
    name = hold(place.name)
    if name is None:
        return 0  # another keeper is alive; its lock file was deleted
    try:
        tunnel = new_tunnel(Target.from_json(target), place.folder, on_change=place.tell)
        tunnel.start()
    except MlqError as error:
        sys.stderr.write("; ".join(str(error).split("\n  ")) + "\n")
        return error.exit_code
    try:
        keep(place, tunnel, float(idle_s), halt)
    except MlqError as error:
        tunnel.stop()
        sys.stderr.write("; ".join(str(error).split("\n  ")) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
