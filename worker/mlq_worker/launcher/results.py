"""From the way a process ended to the result that is reported and written on NFS.

The last line of a job's log goes into the reason of its failure (`exit 1: CUDA out of memory`). It
is read once, at the end of the attempt, in the launcher's thread that writes `result.json` and that
may hang in NFS; so the worker or the reaper that commits the end has it. Only the tail of the log
is read. The line goes into the queue and onto terminals: it is one printable line, bounded, and the
values of the job's secrets are not in it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
from collections.abc import Iterable

from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.root import LastLook, pinned
from mlq.files.strict_files import Content, read_file
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.procfs import signal_name
from mlq_worker.ipc.values import LAST_LINE_CHARS, Outcome, Result, to_json
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


def spawn_fault(error: OSError | ValueError, machine: str) -> Failure:
    """Return why a command was not started by the kernel."""
    if isinstance(error, ValueError):
        return Failure("unstartable", 126, f"cannot start: {error}")  # a NUL byte in an argument
    if error.errno in (errno.EAGAIN, errno.ENOMEM):
        reason = no_process(machine, error.strerror or "")
        return Failure("released", None, reason, Cause(Kind.MACHINE))
    return Failure("unstartable", 126, f"cannot start: {error.strerror}")


def no_process(machine: str, why: str) -> str:
    """Return the reason for which a job goes to another machine, or waits until this has room.

    It is not the job's loss: another one of its user may have taken all the processes there are.
    """
    return f"handed back: {machine} starts no more processes: {why}"


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


def has_said(result: Result, layout: Layout, last_look: LastLook | None = None) -> bool:
    """Return whether an attempt wrote to its log or its report; False if that is not known."""
    try:
        with pinned(layout, last_look) as root:
            folder, number = root.folder(result.attempt.job_id), result.attempt.number
            return any(map(_is_written, (folder.log_file(number), folder.progress_file(number))))
    except OSError:
        return False


def _is_written(path: str) -> bool:
    try:
        return os.lstat(path).st_size > 0
    except FileNotFoundError:
        return False


_TAIL_BYTES = 4096
_SHORTEST_SECRET = 4  # a shorter one occurs in many words, and is easily guessed
_FAILED = frozenset({"exited", "signaled", "timeout"})
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)


def tells_last_line(result: Result) -> bool:
    """Return whether the reason of such an end is told together with the last line of the log."""
    return result.outcome in _FAILED and result.exit_code != 0


def read_last_line(
    result: Result, layout: Layout, hidden: Iterable[str], last_look: LastLook | None = None
) -> str:
    """Return the last line that an attempt wrote and that says anything; "" if there is none.

    Args:
        result: of the attempt.
        layout: where its log lies.
        hidden: what must not be in it.
        last_look: at the root.
    """
    try:
        with pinned(layout, last_look) as root:
            path = root.log_file(*result.attempt)
            read = read_file(root.root, path, _TAIL_BYTES, tail=True)
    except OSError:
        return ""
    return last_line(read.data, hidden) if isinstance(read, Content) else ""


def last_line(tail: bytes, hidden: Iterable[str] = ()) -> str:
    """Return the last line of the end of a log that says anything; "" if there is none.

    A progress bar is drawn over itself again and again: its last state counts.
    """
    text = _ESCAPES.sub("", tail.decode(errors="replace"))
    for line in reversed(text.splitlines()):
        shown = " ".join("".join(one if one.isprintable() else " " for one in line).split())
        if shown:
            return _bounded(_without(shown, hidden))
    return ""


def _without(line: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        for part in secret.splitlines():
            if len(part) >= _SHORTEST_SECRET:
                line = line.replace(" ".join(part.split()) or part, "***")
    return line


def _bounded(line: str) -> str:
    return line if len(line) <= LAST_LINE_CHARS else f"{line[: LAST_LINE_CHARS - 1]}…"
