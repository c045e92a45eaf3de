"""What still runs of an installation: processes whose environment or command names its folder."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def processes_of(folder: Path | str) -> dict[int, str]:
    """Return process ids and command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            command = (process / "cmdline").read_bytes()
            # A Redis server overwrites its environment with its title.
            if os.fsencode(folder) in (process / "environ").read_bytes() + command:
                shown = command.replace(b"\0", b" ").decode(errors="replace")
                found[int(process.name)] = shown.strip()
    return found


def kill_all(folder: Path | str) -> None:
    """Kill every process of the installation, and what they start meanwhile."""
    while left := processes_of(folder):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
