"""Why an attempt could not start, as a type: nobody reads it out of the words of a reason.

The launcher writes it as `cause` into the result (`{"kind": ..., "what": ...}`); a result without
one, or with one of another version of mlq, has none. What is missing on one machine may be there on
another, so the job goes back to the queue and this machine keeps from such jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """What was at fault."""

    NONE = ""
    FOLDER = "folder"  # the working directory is not there
    COMMAND = "command"  # the command, or the interpreter of a script, is not there
    ENVIRONMENT = "environment"  # the virtual or conda environment is not there
    JOB_FOLDER = "job folder"  # this job's folder below the results root cannot be written
    MACHINE = "machine"  # the machine starts no process


MISSING = frozenset({Kind.FOLDER, Kind.COMMAND, Kind.ENVIRONMENT})


class Cause(NamedTuple):
    """What was at fault, and its name: a path, or a command."""

    kind: Kind = Kind.NONE
    what: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it as it stands in a result."""
        return {"kind": str(self.kind), "what": self.what}


def cause_of(result: Mapping[str, Any]) -> Cause:
    """Return the cause that a result tells; none if it tells none that is known here."""
    told = result.get("cause")
    if not isinstance(told, Mapping) or told.get("kind") not in {one.value for one in Kind}:
        return Cause()
    return Cause(Kind(told["kind"]), str(told.get("what", "")))
