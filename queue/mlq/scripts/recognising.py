"""Which batch system a job file was written for, and its parser. Only that one is imported."""

from __future__ import annotations

import re

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import System
from mlq.scripts.script_job import ScriptJob
from mlq.scripts.where import Edges, Where

SYSTEMS: tuple[System, ...] = ("slurm", "pbs", "condor")

_SLURM = re.compile(r"^#SBATCH\b", re.MULTILINE)
_PBS = re.compile(r"^#PBS\b", re.MULTILINE)
# HTCondor's submit files assign values, and one line says how many jobs to queue.
_CONDOR = re.compile(r"^\s*queue\b(?!\s*=)", re.MULTILINE | re.IGNORECASE)
_ASSIGNED = re.compile(r"^\s*[A-Za-z_+][\w.+]*\s*=", re.MULTILINE)


def recognised(text: str, file: str) -> System:
    """Return the system that a job file was written for.

    Raises:
        InvalidInputError: none fits, or two do.
    """
    fitting: list[System] = []
    if _SLURM.search(text):
        fitting.append("slurm")
    if _PBS.search(text):
        fitting.append("pbs")
    if not text.startswith("#!") and _CONDOR.search(text) and _ASSIGNED.search(text):
        fitting.append("condor")
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidInputError(
            f"{file} may be a job file of {' or '.join(fitting)}",
            why="it has lines of both",
            fix=f"say which: mlq submit --as {fitting[0]} {file}",
        )
    raise InvalidInputError(
        f"{file} is no job file that mlq knows",
        why="it has no line #SBATCH, no #PBS and no queue statement of HTCondor",
        fix="say which it is, for example --as slurm; a plain command: mlq enqueue -- COMMAND",
    )


def parse(text: str, where: Where, system: System, edges: Edges) -> ScriptJob:
    """Return what a job file of this system describes.

    Args:
        text: the file.
        where: where it is submitted.
        system: of the file.
        edges: what the file may ask of this machine.

    Raises:
        InvalidInputError: it has a mistake; the message names file and line.
    """
    if system == "slurm":
        from mlq.scripts import slurm

        return slurm.parse(text, where)
    if system == "pbs":
        from mlq.scripts import pbs

        return pbs.parse(text, where, edges)
    from mlq.scripts import condor

    return condor.parse(text, where, edges)
