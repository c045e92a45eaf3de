"""Start, stop and look at the worker of this machine.

In the background the worker is a process of its own session, so that closing the terminal or the
ssh connection leaves it running. Starting waits until it works or has died, so that a mistake is
told at once and not found in a log next morning. Stopping is by signals, which need no cooperation
of the queue or of NFS: SIGTERM leaves the jobs running, SIGUSR1 drains, SIGUSR2 hands them back.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlq.errors import WorkerError
from mlq.paths import machine_dir
from mlq.settings import Settings
from mlq_worker import install
from mlq_worker.lock import Holder, held, holder, is_locked
from mlq_worker.notify import Listener, Notifier
from mlq_worker.options import WorkerOptions
from mlq_worker.worker_log import last_line, log_to, size

READY_DEADLINE_S = 60.0
# -P: a folder named `queue` or `mlq` where the command was typed must not be imported.
BACKGROUND = (sys.executable, "-P", "-m", "mlq_worker")
DRAINED = "drained"
KEEP_TRYING = "keep-trying"

_SAY_EVERY_S = 0.5
_EXIT_DEADLINE_S = 30.0
_SIGNALS = {"keep": signal.SIGTERM, "drain": signal.SIGUSR1, "now": signal.SIGUSR2}
_PLAIN = [signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, *_SIGNALS.values()]

How = Literal["keep", "drain", "now"]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The worker of a machine as it is now.

    Args:
        machine: its name.
        pid: of the worker; None if none runs.
        doing: what it last said of itself; "" if none runs.
        supervised: a supervisor runs here; it may hold jobs even while no worker runs.
        log: what the background worker wrote; may not exist.
        at_boot: what starts it after a reboot, in words; "" if nothing does.
    """

    machine: str
    pid: int | None
    doing: str
    supervised: bool
    log: Path
    at_boot: str

    @property
    def running(self) -> bool:
        """Whether a worker runs."""
        return self.pid is not None


def run(
    settings: Settings,
    options: WorkerOptions,
    *,
    log: Path | None = None,
    keep_trying: bool = False,
) -> None:
    """Be the worker of this machine, in this process, until told to stop.

    Args:
        settings: the settings in force; they name the machine.
        options: what it may give to jobs.
        log: write the log there, and standard error too; None: log to standard error.
        keep_trying: wait for a queue or a results root that is away, rather than give up.

    Raises:
        WorkerError: another worker runs for this machine.
        MlqError: the worker cannot start, and why.
    """
    from mlq_worker import daemon  # brings redis-py, which nobody else here needs

    os.umask(0o077)
    folder = machine_dir(settings.runtime_dir, settings.machine)
    with held(folder, settings.machine), log_to(log):
        status_file = folder / "worker.status"
        notify = Notifier.taken_from(os.environ, status_file)
        try:
            daemon.run(settings, options, notify, keep_trying=keep_trying)
        finally:
            notify.stopping()
            status_file.unlink(missing_ok=True)


def start(
    settings: Settings,
    options: WorkerOptions,
    *,
    program: Sequence[str] = BACKGROUND,
    deadline_s: float = READY_DEADLINE_S,
    keep_trying: bool = False,
) -> str:
    """Start the worker of this machine in the background and wait until it works.

    Args:
        settings: the settings in force; they name the machine.
        options: what it may give to jobs.
        program: the daemon; it gets the machine's name and the options as JSON as arguments,
            and `KEEP_TRYING` if it is to.
        deadline_s: how long to wait until it is ready.
        keep_trying: see `run`.

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
    log = folder / "worker.log"
    begins = size(log)
    argv = [*program, settings.machine, options.to_json(), *([KEEP_TRYING] if keep_trying else [])]
    with Listener(folder / f"start.{os.getpid()}") as listener:
        pid = _spawn(argv, {**os.environ, "NOTIFY_SOCKET": str(listener.path)}, log)
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


def _spawn(argv: list[str], environ: dict[str, str], log: Path) -> int:
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
    _spawn([*BACKGROUND, machine, DRAINED], dict(os.environ), folder / "worker.log")


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
    """Wait for the end of a process, telling what it says on its way."""
    patience_s = {
        "keep": _EXIT_DEADLINE_S,
        "drain": float("inf"),
        "now": _EXIT_DEADLINE_S + settings.stop_grace_s,
    }[how]
    waited_s, told = 0.0, ""
    while not worker.wait(_SAY_EVERY_S):
        waited_s += _SAY_EVERY_S
        doing = _doing(folder)
        if doing and doing != told:
            told = doing
            say(doing)
        if waited_s >= patience_s:
            raise WorkerError(
                f"the worker for {settings.machine} has not ended after {patience_s:g} s",
                why=doing,
                fix=f"its log: {folder / 'worker.log'}; `kill -9 {worker.pid}` ends it, not its "
                "jobs",
            )


def status(settings: Settings) -> WorkerStatus:
    """Look at the worker of this machine."""
    folder = machine_dir(settings.runtime_dir, settings.machine)
    with holder(folder) as worker:
        pid = worker.pid if worker else None
    return WorkerStatus(
        machine=settings.machine,
        pid=pid,
        doing=_doing(folder) if pid else "",
        supervised=is_locked(folder / "supervisor.lock"),
        log=folder / "worker.log",
        at_boot=install.installed(settings.machine),
    )


def _doing(folder: Path) -> str:
    try:
        return (folder / "worker.status").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
