"""`mlq shims`: Slurm's commands, for programs that speak to Slurm."""

from __future__ import annotations

import argparse
import os

from mlq.errors import StorageError
from mlq.files.shims import data_folder, make_shims

HELP = "print a folder with Slurm's commands (sbatch, srun, ...) that speak to mlq"
EXAMPLES = """\
  mlq shims slurm
  export PATH="$(mlq shims slurm):$PATH"       programs made for Slurm now use mlq
  PATH="$(mlq shims slurm):$PATH" sbatch train.sh"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("system", choices=("slurm",))


def run(_args: argparse.Namespace) -> int:
    """Make the folder if need be, and print it."""
    data = data_folder(os.environ)
    try:
        if not data:
            raise StorageError("there is no folder for commands", fix="set HOME")
        print(make_shims(data))
    except OSError as error:
        raise StorageError(
            f"cannot write {error.filename or data}", why=str(error.strerror)
        ) from None
    return 0
