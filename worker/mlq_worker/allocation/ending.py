"""When an allocation ends, from what its system says: pure.

Slurm and PBS are asked (`asking` carries it out); each answer counts from when the question was
sent, so a slow answer makes the worker leave too early and never too late. HTCondor has no end. The
jobs are handed back `LEAD_S` before the end: their programs need time to save their state.
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from mlq_worker.allocation.systems import Allocation, size_mib

LEAD_S = 90.0
_CLOCK = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")
_ATTRIBUTE = re.compile(r"^\s+([\w.]+) = (.*)$", re.MULTILINE)


class Told(NamedTuple):
    """What a batch system says of an allocation; None: it does not say.

    Args:
        left_s: seconds until it ends.
        cores: how many it grants.
        mem_mib: how much memory it grants.
    """

    left_s: float | None = None
    cores: int | None = None
    mem_mib: int | None = None


def question(allocation: Allocation) -> list[list[str]]:
    """Return the commands that tell the end, the best first; none if the system has no end."""
    match allocation.system:
        case "slurm":
            return [
                ["squeue", "-h", "-j", allocation.job_id, "-o", "%L"],
                ["scontrol", "-o", "show", "job", allocation.job_id],
            ]
        case "pbs":
            return [["qstat", "-f", allocation.job_id]]
    return []


def told(command: str, output: str, utc_s: float) -> Told:
    """Return what the output of one of the commands says.

    Args:
        command: its first word.
        output: what it printed.
        utc_s: unix time when it was started.
    """
    match command:
        case "squeue":
            return Told(_clock_s(output.strip()))
        case "scontrol":
            return _scontrol(output)
        case "qstat":
            return _qstat(output, utc_s)
    return Told()


def _scontrol(output: str) -> Told:
    words = dict(word.partition("=")[::2] for word in output.split())
    limit_s, ran_s = _clock_s(words.get("TimeLimit", "")), _clock_s(words.get("RunTime", ""))
    return Told(None if limit_s is None or ran_s is None else max(0.0, limit_s - ran_s))


def _qstat(output: str, utc_s: float) -> Told:
    joined = output.replace("\n\t", "")  # qstat folds long lines
    found = dict(_ATTRIBUTE.findall(joined))
    limit_s = _clock_s(found.get("Resource_List.walltime", ""))
    ran_s = max(
        _clock_s(found.get("resources_used.walltime", "")) or 0.0,  # some minutes old
        utc_s - (_local_s(found.get("stime", "")) or utc_s),
    )
    cores = found.get("Resource_List.ncpus", "")
    return Told(
        None if limit_s is None else max(0.0, limit_s - ran_s),
        int(cores) if cores.isdecimal() and int(cores) > 0 else None,
        size_mib(found.get("Resource_List.mem", "")),
    )


def _local_s(text: str) -> float | None:
    """Return `Sat Nov 28 06:39:02 2026`, by this machine's zone, as unix time; None for others."""
    try:
        return time.mktime(time.strptime(text.strip(), "%a %b %d %H:%M:%S %Y"))
    except (ValueError, OverflowError):
        return None


def _clock_s(text: str) -> float | None:
    """Return `1-02:03:04`, `02:03:04` or `03:04` in seconds; None for `UNLIMITED` and the like."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(one or 0) for one in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
