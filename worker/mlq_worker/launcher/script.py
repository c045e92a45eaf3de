"""The script of a job: its text goes into the job's folder, and its interpreter runs it from there.

The text is in the signed job, so each attempt has the same one on every machine, whatever became of
the file that was submitted. Jobs run as the same user and may change what lies in their folder:
invariant: an attempt starts with a file that holds exactly the signed text. The interpreter is
executed with the path, as the kernel would do it, so the results root may be mounted noexec.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mlq.files.layout import JobFolder, Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.strict_files import Content, read_file
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.values import Order
from mlq_worker.launcher.lookup import NOT_FOUND, NOT_USABLE, Failure, find

_SHELL = "/bin/sh"
_OURS = 0o77
_BLANKS = re.compile(r"[ \t]+")


def place_script(order: Order, root: Layout) -> None:
    """Put the script of a job in place, and its file of nodes.

    Raises:
        OSError: it cannot be written.
    """
    batch = order.batch
    if batch is None:
        return
    folder = root.folder(order.attempt.job_id)
    if batch.nodes:
        write_atomically(folder.nodes_file(order.attempt.number), batch.nodes.encode(), flush=False)
    if not batch.script:
        return
    path, text = folder.script_file(batch.script_name), batch.script.encode()
    there = read_file(root.root, path, len(text) + 1)
    if not isinstance(there, Content) or there.data != text:
        make_private_dirs(os.path.dirname(path))  # noqa: PTH120 - text
        write_atomically(path, text, 0o700, flush=False)


def first_words(order: Order) -> tuple[str, ...]:
    """Return what stands in place of `argv[0]`: a program's path, or interpreter and script.

    Raises:
        Failure: it cannot be found here.
        OSError: it cannot be looked at.
    """
    batch = order.batch
    if batch is None or not batch.script:
        return (find(order),)
    words = interpreter_of(batch.script) or _own_shell(order)
    program = Path(order.cwd, words[0])
    script = JobFolder(order.job_dir).script_file(batch.script_name)
    if not program.is_file():
        hint = " (the script has DOS line ends)" if words[0].endswith("\r") else ""
        what = words[0].rstrip("\r")
        reason = f"interpreter not found: {what} (first line of {order.argv[0]}){hint}"
        raise Failure("unstartable", NOT_FOUND, reason, Cause(Kind.COMMAND, what))
    if not os.access(program, os.X_OK):
        raise Failure("unstartable", NOT_USABLE, f"permission denied: {program}")
    return (*_with_umask(batch.umask), str(program), *words[1:], script)


def _with_umask(umask: int) -> tuple[str, ...]:
    """Return words that run the rest with the umask of its user, as other systems do it.

    The launcher's own umask is that of all its threads, and keeps others out. The shell only sets
    it and becomes the interpreter.
    """
    if umask == _OURS:
        return ()
    return (_SHELL, "-c", f'umask {umask:04o}; exec "$0" "$@"')


def interpreter_of(script: str) -> tuple[str, ...]:
    """Return the interpreter in a script's first line and its argument; empty if there is none.

    As the kernel reads it: all after the first blank is one argument.
    """
    if not script.startswith("#!"):
        return ()
    line = script[2:].split("\n", 1)[0].strip(" \t")
    return tuple(_BLANKS.split(line, maxsplit=1)) if line else ()


def _own_shell(order: Order) -> tuple[str, ...]:
    """Return what runs a script that names no interpreter: the user's shell, as PBS does it."""
    shell = order.env.get("SHELL", "")
    return (shell if shell.startswith("/") and os.access(shell, os.X_OK) else _SHELL,)
