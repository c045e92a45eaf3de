"""Fills in the patterns in the names of Slurm's output files: `slurm-%A_%a.out`, `%x-%4j.log`.

As Slurm does (`fname_create` in its sources): a backslash anywhere switches all patterns off, `%%`
is a percent sign, a number after the percent sign fills numbers up with zeros, and what is no
pattern stays. The worker fills them in, since only it knows the machine.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.scripts.slurm_ids import array_number, slurm_number

NO_TASK = "4294967294"
"""What Slurm writes for `%a` in a job that is no array."""

_WIDEST = 10
_PATTERN = re.compile(r"%(\d*)([%A-Za-z])", re.ASCII)


class Names(NamedTuple):
    """What the patterns stand for.

    Args:
        job: the job's number (`mlq.scripts.slurm_ids`).
        array: the array's number; the job's for one that is no array.
        task: its number in the array.
        name: the job's name.
        user: its user.
        node: the machine.
        rank: its task, or rank; 0 for the script.
        step: the number of the step, "" for the script.
    """

    job: str
    array: str
    task: str
    name: str
    user: str
    node: str
    rank: int = 0
    step: str = ""


def names_of(job_id: str, task: str, name: str, user: str, node: str) -> Names:
    """Return what the patterns stand for in a job's script.

    Args:
        job_id: the job's id in mlq.
        task: its number in its array; "" if it is none.
        name: the job's name.
        user: its user.
        node: the machine it runs on.
    """
    number = slurm_number(job_id)
    return Names(number, array_number(job_id) or number, task or NO_TASK, name, user, node)


def fill(pattern: str, names: Names) -> str:
    """Return a name with its patterns filled in."""
    if "\\" in pattern:
        return pattern.replace("\\", "")
    numbers = {
        "A": names.array,
        "a": names.task,
        "b": str(int(names.task) % 10) if names.task.isdecimal() else names.task,
        "j": names.job,
        "n": "0",
        "t": str(names.rank),
    }
    texts = {
        "%": "%",
        "J": f"{names.job}.{names.step}" if names.step else names.job,
        "N": names.node.split(".", 1)[0],
        "s": names.step or "batch",
        "u": names.user,
        "x": names.name,
    }

    def filled(match: re.Match[str]) -> str:
        width, letter = match[1], match[2]
        if letter in numbers:
            return numbers[letter].zfill(min(int(width or 0), _WIDEST))
        return texts.get(letter, match[0])

    return _PATTERN.sub(filled, pattern)
