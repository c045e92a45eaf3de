"""Why an attempt could not start, as a type: it is never read out of the words of a reason.

The launcher writes it as `cause` into the result (`{"kind": ..., "what": ...}`); a result without
one, or with one of another version of mlq, has none. What is missing on one machine may be there on
another, so the job goes back to the queue and this machine keeps from such jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What was at fault."""

    NONE = ""
    FOLDER = "folder"  # the working directory is not there
    COMMAND = "command"  # the command, or the interpreter of a script, is not there
    ENVIRONMENT = "environment"  # the virtual or conda environment is not there
    JOB_FOLDER = "job folder"  # this job's folder below the results root cannot be written
    MACHINE = "machine"  # the machine starts no process


_KINDS = frozenset(one.value for one in Kind)
MISSING = frozenset({Kind.FOLDER, Kind.COMMAND, Kind.ENVIRONMENT})


class Cause(NamedTuple):
    """What was at fault, and its name: a path, or a command."""

    kind: Kind = Kind.NONE
    what: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it as it stands in a result."""
        return {"kind": str(self.kind), "what": self.what}


NO_CAUSE = Cause()


def parse_cause(told: object) -> Cause:
    """Return the cause that a result tells; none if it tells none that is known here."""
    if not isinstance(told, Mapping):
        return NO_CAUSE
    kind, what = told.get("kind"), told.get("what", "")
    if not isinstance(kind, str) or not isinstance(what, str) or kind not in _KINDS:
        return NO_CAUSE
    return Cause(Kind(kind), what)
