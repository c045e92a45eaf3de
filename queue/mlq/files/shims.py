"""The folder of commands by which programs made for Slurm speak to mlq.

Each is a few lines of shell that start mlq's own Python, so they work whatever Python the user's
programs run in. The folder's name depends on that Python: machines that share a home may have mlq
in different places, and an installation that moved gets another folder. Invariant: mlq never takes
one of these for Slurm's own program (`real_program`); a file in the folder marks it.
"""

from __future__ import annotations

import os
import shlex
import sys
import zlib
from collections.abc import Mapping

from mlq.files.layout import write_atomically
from mlq.files.paths import make_private_dirs

SLURM = (
    *("sbatch", "srun", "squeue", "sacct", "scancel"),
    *("scontrol", "sinfo", "sacctmgr", "sshare"),
)
MODULE = "mlq_cli.shims"
_MARK = ".mlq-shims"


def data_folder(environ: Mapping[str, str]) -> str:
    """Return the folder of what mlq keeps for its user here; "" if there is no home."""
    base = environ.get("XDG_DATA_HOME", "")
    if base.startswith("/"):
        return f"{base}/mlq"
    home = environ.get("HOME", "")
    return f"{home}/.local/share/mlq" if home.startswith("/") else ""


def shim_text(name: str, python: str) -> str:
    """Return the text of one command.

    Variables such as PYTHONPATH are meant for the user's Python, not for mlq's.
    """
    quoted = shlex.quote(python)
    return (
        "#!/bin/sh\n"
        f"[ -x {quoted} ] || {{ echo '{name}: error: mlq was moved: put the folder that"
        " `mlq shims slurm` prints into PATH' >&2; exit 127; }\n"
        f'exec {quoted} -E -P -m {MODULE} {name} "$@"\n'
    )


def make_shims(data_dir: str, python: str = sys.executable) -> str:
    """Return the folder of Slurm's commands, made or mended if need be.

    Two may do so at once: each file appears whole, and both write the same.

    Args:
        data_dir: where mlq keeps things for its user (`data_folder`).
        python: mlq's own.

    Raises:
        OSError: it cannot be written.
    """
    folder = f"{data_dir}/shims/{zlib.crc32(os.fsencode(python)):08x}/slurm"
    make_private_dirs(folder)
    # The mark comes first: without it the others could be taken for Slurm's own.
    for name, text in ((_MARK, ""), *((one, shim_text(one, python)) for one in SLURM)):
        path = f"{folder}/{name}"
        if _content(path) != text:
            write_atomically(path, text.encode(), 0o700, flush=False)
    return folder


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - speed
            return file.read()
    except OSError:
        return None


def real_program(name: str, path: str) -> str:
    """Return the first program of this name in PATH that is none of these commands; "" for none.

    Args:
        name: of the program.
        path: folders, as in PATH.
    """
    for folder in path.split(":"):
        found = f"{folder or '.'}/{name}"
        if not os.access(found, os.X_OK) or not os.path.isfile(found):  # noqa: PTH113 - speed
            continue
        behind = os.path.dirname(os.path.realpath(found))  # noqa: PTH120
        if not any(os.path.lexists(f"{one}/{_MARK}") for one in (folder or ".", behind)):
            return found
    return ""
