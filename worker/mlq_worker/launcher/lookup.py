"""What a job names on this machine: its folder, its Python environment, its command.

The launcher looks them up before the job starts, in the job's own PATH, because only then can the
message say what is missing and why. Another machine may have what is missing or unreadable here, so
such a failure has a cause (`mlq_worker.ipc.causes`). Invariant: no other program takes the place of
one that cannot be used here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.values import Found, Order, Outcome

NOT_FOUND, NOT_USABLE = 127, 126  # as shells report them
_FIRST_LINE_BYTES = 256  # of a script, as far as the kernel reads it
_DENIED = "permission denied"


class Failure(Exception):  # noqa: N818 - as much an answer as an error
    """Why a job cannot be started: the outcome, exit code, reason and cause of its result."""

    def __init__(
        self,
        outcome: Outcome,
        exit_code: int | None,
        reason: str,
        cause: Cause | None = None,
        found: Found | None = None,
    ) -> None:
        super().__init__(reason)
        self.outcome, self.exit_code, self.reason = outcome, exit_code, reason
        self.cause, self.found = cause, found


def check_folder(cwd: str) -> None:
    """Make sure that a job can run in a folder; raise Failure if not."""
    try:
        mode = Path(cwd).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(Kind.FOLDER, cwd, f"working directory missing: {cwd}") from None
    except PermissionError:
        reason = f"working directory cannot be reached: {cwd}: {_DENIED}"
        raise _missing(Kind.FOLDER, cwd, reason) from None
    if not stat.S_ISDIR(mode):
        raise Failure("unstartable", NOT_USABLE, f"working directory is a file: {cwd}")
    if not os.access(cwd, os.X_OK):
        raise Failure("unstartable", NOT_USABLE, f"{_DENIED}: {cwd}")


def check_environment(path: str) -> None:
    """Make sure that the programs of a Python environment can be used; raise Failure if not.

    Without this a job would find its `python` further down in PATH, and run another one.
    """
    if not path:
        return
    try:
        is_there = stat.S_ISDIR(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_there = False
    except PermissionError:
        raise _unusable(path, _DENIED) from None
    if not is_there:
        raise _missing(Kind.ENVIRONMENT, path, f"Python environment missing: {path}")
    python = Path(path, "bin", "python")
    try:
        python.stat()
    except (FileNotFoundError, NotADirectoryError):
        if python.is_symlink():  # without a Python it is an environment of other programs
            raise _unusable(path, f"its Python is {_end_of(python)}, which is missing") from None
        if not python.parent.is_dir():
            raise _unusable(path, "it has no bin folder") from None
    except PermissionError:
        raise _unusable(path, f"its Python cannot be reached: {_DENIED}") from None


def find(order: Order) -> str:
    """Return the path of a job's command, looked up as execvp(3) does; raise Failure."""
    name = order.argv[0]
    if "/" in name:
        return _direct(name, Path(order.cwd, name), order.called)
    refused = ""
    for folder in order.env.get("PATH", os.defpath).split(":"):
        path = Path(order.cwd, folder, name)
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # as the C library does: the next folder may hold it
        if _is_program(path, mode):
            _check_interpreter(path)
            return str(path)
        refused = refused or str(path)
    if refused:
        raise Failure("unstartable", NOT_USABLE, f"{_DENIED}: {refused}")
    raise _missing(Kind.COMMAND, name, f"command not found: {name}")


def _direct(name: str, path: Path, called: str) -> str:
    """Return the path of a command that is given as a path."""
    whose = f" ({called}, in the shell it was enqueued from)" if called else ""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        leads = f", which leads to {_end_of(path)}" if path.is_symlink() else ""
        reason = f"command not found: {name}{leads}{whose}"
        raise _missing(Kind.COMMAND, name, reason) from None
    except PermissionError:
        reason = f"command cannot be reached: {name}: {_DENIED}{whose}"
        raise _missing(Kind.COMMAND, name, reason) from None
    if not _is_program(path, mode):
        raise Failure("unstartable", NOT_USABLE, f"{_DENIED}: {path}{whose}")
    _check_interpreter(path)
    return str(path)


def _is_program(path: Path, mode: int) -> bool:
    return stat.S_ISREG(mode) and os.access(path, os.X_OK)


def _check_interpreter(path: Path) -> None:
    """Refuse a script whose first line names a missing interpreter, or that has no such line."""
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
            raise _missing(Kind.COMMAND, interpreter, reason)
    elif b"\0" not in start:  # text: no binary format has none
        reason = f"not a program: {path} (a script needs a first line such as #!/bin/sh)"
        raise Failure("unstartable", NOT_USABLE, reason)


def _unusable(path: str, why: str) -> Failure:
    reason = f"Python environment cannot be used: {path}: {why}"
    return _missing(Kind.ENVIRONMENT, path, reason)


def _missing(kind: Kind, what: str, reason: str) -> Failure:
    return Failure("unstartable", NOT_FOUND, reason, Cause(kind, what))


def _end_of(link: Path) -> str:
    return os.path.realpath(link)
