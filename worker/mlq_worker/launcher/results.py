"""From the way a process ended to the result that is reported and written on NFS."""

from __future__ import annotations

import json
import os
import resource
import signal

from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.root import LastLook, pinned
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.procfs import signal_name
from mlq_worker.ipc.values import Outcome, Result, to_json
from mlq_worker.launcher.lookup import Failure


def classify(wait_status: int) -> tuple[Outcome, int | None, int | None, str]:
    """Return the outcome, exit code, signal and reason behind a status of wait(2)."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return "exited", code, None, f"exit {code}"
    number = -code
    reason = f"killed by {signal_name(number)}"
    if number == signal.SIGKILL:
        reason += ", perhaps out of memory"
    return "signaled", None, number, reason


def spawn_fault(error: OSError | ValueError) -> Failure:
    """Return why a command was not started by the kernel."""
    if isinstance(error, ValueError):
        return Failure("unstartable", 126, f"cannot start: {error}")  # a NUL byte in an argument
    if isinstance(error, BlockingIOError | MemoryError) or error.errno == 12:
        reason = f"cannot start a process here: {error.strerror}"
        return Failure("lost", None, reason, Cause(Kind.MACHINE))
    return Failure("unstartable", 126, f"cannot start: {error.strerror}")


def usage(used: resource.struct_rusage) -> tuple[float, int]:
    """Return the CPU seconds and largest resident set in MiB of a job and its awaited children.

    The set is never reported below the launcher's own, in which the job's life began (vfork).
    """
    return round(used.ru_utime + used.ru_stime, 6), used.ru_maxrss // 1024


def write_result(result: Result, layout: Layout, last_look: LastLook | None = None) -> str:
    """Write `result.json`; return what went wrong, "" if nothing did."""
    path = layout.result_file(*result.attempt)
    try:
        with pinned(layout, last_look) as root:
            _write(result, root)
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return ""


def _write(result: Result, root: Layout) -> None:
    folder = root.folder(result.attempt.job_id)
    path = folder.result_file(result.attempt.number)
    content = json.dumps(to_json(result)).encode("ascii")
    try:
        write_atomically(path, content)
    except FileNotFoundError:  # nothing of it was prepared
        make_private_dirs(folder.attempt_dir(result.attempt.number))
        write_atomically(path, content)
