"""Why an attempt could not start or had to end, as a type, so that no code parses a reason.

The launcher writes it as `cause` into the result (`{"kind": ..., "what": ...}`); one that this
version of mlq does not know counts as none. Another machine may have what is missing here, so the
job goes back to the queue and this machine avoids such jobs; not so with memory of its own.
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
    OOM_OWN = "oom_own"  # it took more memory than it had asked for


_KINDS = frozenset(one.value for one in Kind)
MISSING = frozenset({Kind.FOLDER, Kind.COMMAND, Kind.ENVIRONMENT})


class Cause(NamedTuple):
    """What was at fault, and its name: a path, or a command."""

    kind: Kind = Kind.NONE
    what: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it in the form of a result."""
        return {"kind": str(self.kind), "what": self.what}


NO_CAUSE = Cause()


def parse_cause(told: object) -> Cause:
    """Return the cause that a result names; None if it names none that this version knows."""
    if not isinstance(told, Mapping):
        return NO_CAUSE
    kind, what = told.get("kind"), told.get("what", "")
    if not isinstance(kind, str) or not isinstance(what, str) or kind not in _KINDS:
        return NO_CAUSE
    return Cause(Kind(kind), what)
