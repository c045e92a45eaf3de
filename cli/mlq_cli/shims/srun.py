"""`srun`: in a job it starts the ranks of a step; outside it is a job one waits for.

Compared with the `srun` of a real Slurm 22.05: variables of the ranks, names of their files,
messages, exit codes. Standard library only in a job, since it stands before each rank's start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from mlq.errors import InvalidInputError
from mlq_cli.shims.srun_options import Typed, read, with_variables

HELP = """\
srun [-n RANKS] [-o FILE] [-e FILE] [-i FILE] [-l] [-K] [--export=...] COMMAND [ARGUMENT...]

In a job: starts RANKS processes (default: as many as the job asked for, else one). Outside a job:
enqueues COMMAND with mlq, shows its output, and ends as it ends."""


def main(words: Sequence[str]) -> int:
    """Run `srun` and return its exit code.

    Raises:
        InvalidInputError: it cannot be done.
    """
    typed = read(words)
    if "help" in typed.options:
        print(HELP)
        return 0
    if "version" in typed.options:
        from mlq.version import __version__

        print(f"slurm 22.05.8 (mlq {__version__})")
        return 0
    if not typed.command:
        raise InvalidInputError("no command given to execute")
    if is_in_job(os.environ):
        return _ranks(with_variables(typed, os.environ))
    from mlq_cli.shims import srun_outside

    return srun_outside.run(typed)


def is_in_job(environ: Mapping[str, str]) -> bool:
    """Return whether this is a job of mlq's, written for Slurm or not."""
    return bool(environ.get("MLQ_JOB_ID"))


def _ranks(typed: Typed) -> int:
    from mlq_cli.shims.srun_plan import plan
    from mlq_cli.shims.srun_ranks import Step

    # The supervisor knows a job's `srun` by this name: it tells `srun`, and `srun` its ranks.
    with open("/proc/self/comm", "w", encoding="ascii") as name:  # noqa: PTH123 - speed
        name.write("srun")
    sys.stdout.flush()
    return Step(plan(typed, os.environ)).run()
