"""Starts the worker of this machine so that it outlives the terminal and the connection.

The worker is a process in its own session, or the unit that `mlq worker install` put in place.
Starting waits until it works or has died, so that the user sees a mistake at once and does not find
it in a log next morning.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mlq.errors import WorkerError
from mlq.files.layout import last_line
from mlq.files.paths import machine_dir
from mlq.settings.settings import Settings
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.service import install, systemd
from mlq_worker.service.lock import Holder, holder
from mlq_worker.service.log import size
from mlq_worker.service.notify import Listener
from mlq_worker.service.status import status

READY_DEADLINE_S = 60.0
# -P: a folder named `queue` or `mlq` where the command was typed must not be imported.
BACKGROUND = (sys.executable, "-P", "-m", "mlq_worker")
DRAINED = "drained"
KEEP_TRYING = "keep-trying"

# Signals whose handling a `nohup` or a shell may have changed.
_PLAIN = [
    *(signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM),
    *(signal.SIGUSR1, signal.SIGUSR2),
]


def start(
    settings: Settings,
    options: WorkerOptions,
    *,
    program: Sequence[str] = BACKGROUND,
    deadline_s: float = READY_DEADLINE_S,
    keep_trying: bool = False,
) -> str:
    """Start the worker of this machine in the background and wait until it works.

    If `mlq worker install` put a unit in place for it, systemd starts that: a unit outlives a
    logout everywhere.

    Args:
        settings: the settings in force; they name the machine.
        options: what it may give to jobs.
        program: the daemon; it gets the machine's name and the options as JSON as arguments,
            and `KEEP_TRYING` if it is to.
        deadline_s: how long to wait until it is ready.
        keep_trying: see `control.run`.

    Returns:
        One line that says what runs now.

    Raises:
        WorkerError: it died, with its last words, or it is not ready in time.
    """
    folder = machine_dir(settings.runtime_dir, settings.machine)
    with holder(folder) as running:
        if running is not None:
            return (
                f"a worker for {settings.machine} already runs (process {running.pid}); "
                "stop it first to change its options"
            )
    if program == BACKGROUND and (unit := install.unit_for(settings, options)):
        return _start_unit(unit, settings, deadline_s)
    log = folder / "worker.log"
    begins = size(log)
    argv = [*program, settings.machine, options.to_json(), *([KEEP_TRYING] if keep_trying else [])]
    with Listener(folder / f"start.{os.getpid()}") as listener:
        pid = spawn(argv, {**os.environ, "NOTIFY_SOCKET": str(listener.path)}, log)
        process = Holder(pid, os.pidfd_open(pid))
        try:
            heard = listener.wait(process.pidfd, deadline_s)
        finally:
            process.close()
    if heard.ready:
        return f"worker for {settings.machine} runs (process {pid}): {heard.status or 'ready'}"
    last = last_line(log, begins)
    fix = f"its log: {log}"
    if heard.died:
        ended = _how_it_ended(pid)
        what = f"the worker for {settings.machine} did not start"
        raise WorkerError(what, why=last or heard.status or ended, fix=fix)
    raise WorkerError(
        f"the worker for {settings.machine} is not ready after {deadline_s:g} s",
        why=heard.status or last,
        fix=f"it goes on trying (process {pid}); {fix}",
    )


def _start_unit(unit: str, settings: Settings, deadline_s: float) -> str:
    ready = systemd.start(unit, deadline_s)
    now = status(settings)
    if ready and now.running:
        return f"worker for {settings.machine} runs (process {now.pid}, {now.at_boot}): {now.doing}"
    raise WorkerError(
        f"the worker for {settings.machine} is not ready after {deadline_s:g} s",
        why=now.doing,
        fix=f"systemd goes on trying; its log: journalctl --user --unit {unit}",
    )


def outlives_logout(settings: Settings) -> bool:
    """Return whether the worker of this machine goes on when its user logs out."""
    pid = status(settings).pid
    try:
        cgroup = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return True
    return not systemd.ends_at_logout(
        cgroup,
        lingers=systemd.lingers,
        kills=lambda: bool(systemd.kills_at_logout()),
    )


def spawn(argv: list[str], environ: dict[str, str], log: Path) -> int:
    """Start a program of the worker's in the background; return its process id."""
    # Its own session, no terminal, and none of the dispositions that a `nohup` would pass on.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        argv[0],
        argv,
        environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_PLAIN,
    )


def _how_it_ended(pid: int) -> str:
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
