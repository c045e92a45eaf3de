"""Runs the worker of this machine, and stops it.

Stopping is by signals, which need no cooperation of the queue or of NFS: SIGTERM leaves the jobs
running, SIGUSR1 drains, SIGUSR2 hands them back. `start` starts the worker, `status` looks at it.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from mlq.errors import WorkerError
from mlq.files.locks import is_locked
from mlq.files.paths import machine_dir
from mlq.jobs.stop_signal import LONGEST_GRACE_S
from mlq.settings.guest import with_mode
from mlq.settings.settings import Settings
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.allocation.inside import Inside
from mlq_worker.service import install, start
from mlq_worker.service.lock import Holder, held, holder
from mlq_worker.service.log import log_to
from mlq_worker.service.notify import Notifier
from mlq_worker.service.server_watch import server_watch
from mlq_worker.service.status import doing

_SAY_EVERY_S = 0.5
_EXIT_DEADLINE_S = 30.0
_JOBS_HELD = re.compile(r"\b[1-9]\d* jobs? held")  # as `SupervisorSession.summary` has it
_SIGNALS = {"keep": signal.SIGTERM, "drain": signal.SIGUSR1, "now": signal.SIGUSR2}

How = Literal["keep", "drain", "now"]


def run(
    settings: Settings,
    options: WorkerOptions,
    *,
    log: Path | None = None,
    keep_trying: bool = False,
    inside: Inside | None = None,
) -> None:
    """Be the worker of this machine, in this process, until told to stop.

    Args:
        settings: the settings in force; they name the machine.
        options: what it may give to jobs.
        log: write the log there, and standard error too; None: log to standard error.
        keep_trying: whether to wait for a queue or a results root that is away.
        inside: the allocation of a batch system around it; None: there is none.

    Raises:
        WorkerError: another worker runs for this machine.
        MlqError: the worker cannot start, and why.
    """
    from mlq_worker.agent import loop

    os.umask(0o077)
    settings = with_mode(settings, options.guest)
    folder = machine_dir(settings.runtime_dir, settings.machine)
    status_file = folder / "worker.status"
    notify = Notifier.taken_from(os.environ, status_file)
    tasks = [notify.renew, *server_watch(settings)]
    with held(folder, settings.machine, *tasks), log_to(log):
        try:
            loop.run(settings, options, notify, keep_trying=keep_trying, inside=inside)
        finally:
            notify.stopping()
            status_file.unlink(missing_ok=True)


def stop(settings: Settings, how: How, say: Callable[[str], None]) -> None:
    """Stop the worker of this machine and wait until it has ended.

    Args:
        settings: the settings in force; they name the machine.
        how: "keep" leaves its jobs running, for the next worker to adopt; "drain" claims nothing
            more and ends with the last job; "now" hands the jobs back to the queue.
        say: is told what happens meanwhile.

    Raises:
        WorkerError: no worker runs to see to the jobs, or it does not end.
        KeyboardInterrupt: the user stopped waiting; a worker that drains goes on with it.
    """
    machine = settings.machine
    folder = machine_dir(settings.runtime_dir, machine)
    with holder(folder) as worker:
        if worker is None:
            _without_worker(machine, folder, how, say)
        else:
            worker.signal(_SIGNALS[how])
            try:
                _wait_for_end(worker, folder, settings, how, say)
            except KeyboardInterrupt:
                if how == "drain":
                    _wait_in_background(machine, folder)
                    say(f"no longer waiting; {_DRAINS.format(machine=machine)}")
                raise
            say(_ENDED[how].format(machine=machine))
    install.keep_stopped(machine)


_ENDED = {
    "keep": "the worker for {machine} has stopped; its jobs go on, and the next worker adopts them",
    "drain": "the worker for {machine} has finished its jobs and stopped",
    "now": "the worker for {machine} has handed its jobs back to the queue and stopped",
}
_DRAINS = "the worker for {machine} takes no more jobs, and stops when its last has ended"


def drain(settings: Settings) -> str:
    """Have the worker of this machine claim nothing more and stop after its last job.

    Does not wait for that; a process in the background does, so that systemd is told as well.

    Returns:
        One line that says what happens now.

    Raises:
        WorkerError: no worker runs.
    """
    machine = settings.machine
    folder = machine_dir(settings.runtime_dir, machine)
    with holder(folder) as worker:
        if worker is None:
            raise WorkerError(f"no worker runs for {machine}")
        worker.signal(_SIGNALS["drain"])
        _wait_in_background(machine, folder)
    return _DRAINS.format(machine=machine)


def _wait_in_background(machine: str, folder: Path) -> None:
    start.spawn(
        [*start.BACKGROUND, machine, start.DRAINED],
        dict(os.environ),
        folder / "worker.log",
    )


def wait_for_drained(settings: Settings) -> None:
    """Wait for the end of a worker that drains, and keep systemd from starting it again."""
    with holder(machine_dir(settings.runtime_dir, settings.machine)) as worker:
        while worker is not None and not worker.wait(_EXIT_DEADLINE_S):
            pass
    install.keep_stopped(settings.machine)


def _without_worker(machine: str, folder: Path, how: How, say: Callable[[str], None]) -> None:
    if how != "keep" and is_locked(folder / "supervisor.lock"):
        raise WorkerError(
            f"no worker runs for {machine}, but its supervisor does and may hold jobs",
            fix="`mlq worker start` adopts them; then stop it this way again",
        )
    say(f"no worker runs for {machine}")


def _wait_for_end(
    worker: Holder, folder: Path, settings: Settings, how: How, say: Callable[[str], None]
) -> None:
    """Wait for the end of a process; pass on what it reports meanwhile."""
    patience_s = {
        "keep": _EXIT_DEADLINE_S,
        "drain": float("inf"),
        "now": _EXIT_DEADLINE_S + 2 * settings.stop_grace_s,
    }[how]
    waited_s, told, is_told = 0.0, "", False
    while not worker.wait(_SAY_EVERY_S):
        waited_s += _SAY_EVERY_S
        now = doing(folder)
        if now and now != told:
            told = now
            say(now)
        if how == "now" and patience_s <= waited_s < LONGEST_GRACE_S and _JOBS_HELD.search(now):
            if not is_told:
                is_told = True
                say("its jobs may take as long as their --grace; Ctrl-C ends the waiting only")
            patience_s = waited_s + _EXIT_DEADLINE_S
        if waited_s >= patience_s:
            raise WorkerError(
                f"the worker for {settings.machine} has not ended after {patience_s:g} s",
                why=now,
                fix=f"its log: {folder / 'worker.log'}; `kill -9 {worker.pid}` ends it, not its "
                "jobs",
            )
