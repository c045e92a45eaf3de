"""Real jobs under real keepers, without supervisor and launcher."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from waiting import wait_for

from mlq_worker.ipc import processes
from mlq_worker.ipc.host import LinuxHost
from mlq_worker.ipc.procfs import Target, look_at
from mlq_worker.keeper.start import CGROUP_FD, REPORT_FD, Keeper


class KeptJob(NamedTuple):
    """A job: its keeper, and the file that its output goes to."""

    target: Target
    output: Path

    def said(self, word: str) -> None:
        """Wait until it has written this."""
        wait_for(lambda: word in self.output.read_text(), what=f"{word!r} in its output")


@contextmanager
def kept_job(
    folder: Path, script: str, *arguments: str, cgroup: int | None = None
) -> Iterator[KeptJob]:
    """Run a Python script as a job, in a cgroup if given; all of it ends with the block."""
    output = folder / f"output-{os.urandom(4).hex()}"
    log = os.open(output, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    path, command = Keeper(folder).keep("kept", "/", [sys.executable, "-c", script, *arguments])
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    streams = ((log, 1), (log, 2), (null, REPORT_FD))
    duplicates = [(os.POSIX_SPAWN_DUP2, *pair) for pair in streams]
    if cgroup is not None:
        duplicates.append((os.POSIX_SPAWN_DUP2, cgroup, CGROUP_FD))
    pid = os.posix_spawn(path, command, os.environ, file_actions=duplicates, setsigmask=())
    seen = look_at(pid)
    assert seen is not None
    try:
        yield KeptJob(Target(pid, seen.start), output)
    finally:
        processes.end_all_below(LinuxHost(), pid, at_most_s=30)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(log)
        os.close(null)
