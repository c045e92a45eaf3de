"""What has to be true on disk before a job can start: its folders, its log, its command.

Runs in a thread of the launcher, since all of it may hang in NFS. Faults of the job (no such
command) are told apart from faults of the disk: the first are the user's to mend, after the second
the job goes back to the queue. Commands are looked up here, in the job's own PATH, because only
then can the message name what is missing.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from mlq.layout import Layout, make_private_dirs, write_atomically
from mlq_worker.supervisor.messages import Order, Outcome

_NOT_FOUND, _NOT_USABLE = 127, 126  # as shells report them
_FIRST_LINE_BYTES = 256  # of a script, as far as the kernel reads it
_LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Ready:
    """A job that can be started: its open log and its command, `argv[0]` being a path."""

    log: int
    argv: list[str]


class Failure(Exception):  # noqa: N818 - as much an answer as an error
    """Why a job cannot be started: the outcome, exit code and reason of its result."""

    def __init__(self, outcome: Outcome, exit_code: int | None, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.exit_code, self.reason = outcome, exit_code, reason


def prepare(order: Order, layout: Layout) -> Ready | Failure:
    """Makes the folders and the log of an attempt and finds its command.

    Returns:
        `Ready`, whose log the caller closes, or the `Failure`.
    """
    try:
        log = _open_log(order, layout)
    except OSError as error:
        reason = f"cannot write {error.filename or layout.root}: {error.strerror}"
        return Failure("storage", None, reason)
    try:
        _check_folder(order["cwd"])
        return Ready(log, [_find(order), *order["argv"][1:]])
    except Failure as failure:
        os.close(log)
        return failure
    except OSError as error:
        os.close(log)
        return _unreadable(error)
    except ValueError as error:  # a NUL byte in a path
        os.close(log)
        return Failure("unstartable", _NOT_USABLE, f"cannot start: {error}")


def _open_log(order: Order, layout: Layout) -> int:
    job_id, attempt = order["id"], order["attempt"]
    layout.root.stat()  # never made here: an unmounted root is a fault, not a new folder
    for folder in (
        layout.attempt_dir(job_id, attempt),
        layout.checkpoint_dir(job_id),
        layout.output_dir(job_id),
    ):
        make_private_dirs(folder)
    job_file = layout.job_file(job_id)
    if not job_file.exists():
        write_atomically(job_file, order["job_json"].encode("utf-8"))
    return os.open(layout.log_file(job_id, attempt), _LOG_FLAGS, 0o600)


def _unreadable(error: OSError) -> Failure:
    """The disk's fault, unless it is about a right or a name that the job got wrong."""
    reason = f"{error.filename}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG):
        return Failure("unstartable", _NOT_USABLE, reason)
    return Failure("storage", None, reason)


def _check_folder(cwd: str) -> None:
    try:
        mode = Path(cwd).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise Failure("unstartable", _NOT_FOUND, f"working directory missing: {cwd}") from None
    if not stat.S_ISDIR(mode):
        raise Failure("unstartable", _NOT_USABLE, f"working directory is a file: {cwd}")
    if not os.access(cwd, os.X_OK):
        raise Failure("unstartable", _NOT_USABLE, f"permission denied: {cwd}")


def _find(order: Order) -> str:
    """The path of the command, looked up as execvp(3) does."""
    name = order["argv"][0]
    folders = [""] if "/" in name else order["env"].get("PATH", os.defpath).split(":")
    refused = ""
    for folder in folders:
        path = Path(order["cwd"], folder, name)
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # as the C library does: the next folder may hold it
        if stat.S_ISREG(mode) and os.access(path, os.X_OK):
            _check_interpreter(path)
            return str(path)
        refused = refused or str(path)
    if refused:
        raise Failure("unstartable", _NOT_USABLE, f"permission denied: {refused}")
    raise Failure("unstartable", _NOT_FOUND, f"command not found: {name}")


def _check_interpreter(path: Path) -> None:
    """Refuses a script whose first line names a missing interpreter, or that has no such line."""
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(_FIRST_LINE_BYTES)
    except PermissionError:
        return  # may be executed and not read: the kernel will tell
    if start.startswith(b"#!"):
        words = start[2:].split(b"\n", 1)[0].split(maxsplit=1)
        interpreter = os.fsdecode(words[0]) if words else ""
        if not Path(interpreter).is_file():
            reason = f"interpreter not found: {interpreter} (first line of {path})"
            raise Failure("unstartable", _NOT_FOUND, reason)
    elif b"\0" not in start:  # text: no binary format has none
        reason = f"not a program: {path} (a script needs a first line such as #!/bin/sh)"
        raise Failure("unstartable", _NOT_USABLE, reason)
