"""The supervisor's only child: the launcher, started without ever waiting for a disk.

The supervisor is the next subreaper above the launcher. So it becomes the parent of what a dead
launcher had started, and ends exactly that: all processes below itself.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping

from mlq_worker.ipc import processes
from mlq_worker.ipc.channel import Channel
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.options import Options
from mlq_worker.ipc.procfs import below
from mlq_worker.keeper.start import Keeper

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_YOUNG_S = 5.0


class LaunchPause:
    """When the next launcher may start: the pause grows each time that one dies young."""

    def __init__(self) -> None:
        self._began_at = 0.0
        self._length_s = 0.0

    def began(self, at: float) -> None:
        """Note that one was started."""
        self._began_at = at

    def until(self, died_at: float) -> float:
        """Return when the next may start, after the last one died."""
        young = died_at - self._began_at < _YOUNG_S
        self._length_s = 2 * self._length_s if young and self._length_s else _FIRST_PAUSE_S
        self._length_s = min(self._length_s, _LONGEST_PAUSE_S)
        return died_at + self._length_s


class LauncherProcess:
    """A running launcher.

    Args:
        host: where it runs.
        options: those of the supervisor.
        identity: supervisor_id and boot_id.
        keeper: starts it, so that Python on a hung NFS delays the launcher, not the supervisor.
    """

    def __init__(
        self, host: Host, options: Options, identity: Mapping[str, str], keeper: Keeper
    ) -> None:
        self._host = host
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        path, argv = keeper.become(
            [
                *(sys.executable, "-P", "-m", "mlq_worker.launcher"),
                f"--fd={theirs.fileno()}",
                f"--supervisor={os.getpid()}",
                f"--machine={options.machine}",
                f"--boot-id={identity['boot_id']}",
                f"--supervisor-id={identity['supervisor_id']}",
                f"--queue-id={options.queue_id}",
                f"--mark-prefix={options.mark_prefix}",
                f"--root={options.root}",
                f"--runtime={options.runtime}",
                *(["--in-allocation"] if options.parent else []),
            ]
        )
        default = [signal.SIGPIPE, signal.SIGTERM]
        with theirs:
            self.pid = os.posix_spawn(path, argv, os.environ, setsigmask=(), setsigdef=default)
        self.channel = Channel(ours)

    def end(self) -> None:
        """Kill the launcher if it is not dead yet; do not wait."""
        self.channel.close()
        os.kill(self.pid, signal.SIGKILL)

    def keep_going(self) -> None:
        """Let it go on if a user has stopped it: no job could start or end meanwhile."""
        seen = self._host.look_at(self.pid)
        if seen is not None and seen.state == "T":
            processes.send(self._host, seen, signal.SIGCONT)

    def buried(self) -> bool:
        """Return whether it is dead and nothing is left of what it started; kill what is left."""
        left = processes.kill_all(self._host, lambda: below(self._host.look(), [os.getpid()]))
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    return False
            except ChildProcessError:
                return not left
