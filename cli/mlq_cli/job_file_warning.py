"""Warns of a job file of another batch system that was given to `mlq enqueue`.

There its directives are comments: a job that asks for a GPU in an `#SBATCH` line would train on the
CPU. Each `mlq enqueue` asks this, so it reads the head of one file at most and imports nothing.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from contextlib import suppress

from mlq.errors import InvalidInputError
from mlq_cli.render.clean import clean

_INTERPRETERS = ("sh", "bash", "dash", "zsh", "ksh", "csh", "tcsh", "python", "Rscript", "perl")
_HEAD_BYTES = 16384
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CALLED = {"slurm": "Slurm", "pbs": "PBS", "condor": "HTCondor"}


def job_file_warning(argv: Sequence[str], folder: str) -> str:
    """Return a warning if a command runs a job file of another batch system; else "".

    Args:
        argv: the command.
        folder: where it starts.
    """
    file = _script_of(argv)
    head = _head(os.path.join(folder, file)) if file else b""  # noqa: PTH118 - speed
    is_likely = b"#SBATCH" in head or b"#PBS" in head
    if not is_likely and (head[:2] == b"#!" or b"queue" not in head.lower()):
        return ""
    from mlq.scripts.recognising import recognised

    try:
        system = _CALLED[recognised(head.decode(errors="replace"), file)]
    except InvalidInputError as error:
        if not is_likely:
            return ""
        system = "another batch system" if error.fix else ""
    return (
        f"warning: {clean(file)} is a job file of {system}, and what it asks for there is ignored;"
        f" to have it honoured: mlq submit {clean(shlex.quote(file))}"
    )


def _script_of(argv: Sequence[str]) -> str:
    """Return the script that a command runs: the program, or what an interpreter is given."""
    program = os.path.basename(argv[0]) if argv else ""  # noqa: PTH119 - speed
    if program.rstrip("0123456789.") not in _INTERPRETERS:
        return argv[0] if argv else ""
    words = argv[1:]
    if any(one == "-c" for one in words[:2]):
        return ""
    return next((one for one in words if not one.startswith("-")), "")


def _head(path: str) -> bytes:
    """Return the beginning of a file; nothing if it is none or cannot be read."""
    with suppress(OSError, ValueError):
        file = os.open(path, _OPEN)
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return os.read(file, _HEAD_BYTES)
        finally:
            os.close(file)
    return b""
