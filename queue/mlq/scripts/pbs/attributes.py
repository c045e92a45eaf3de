"""What `-W` says: `depend=afterok:1042:1043,afterany:1044`, `block=true` and others."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.jobs.parents import Condition
from mlq.scripts.script_job import Parent

_CONDITIONS: dict[str, Condition] = {
    "afterok": "finished",
    "afterany": "ended",
    "afternotok": "failed",
    "afterokarray": "finished",
    "afteranyarray": "ended",
    "afternotokarray": "failed",
}
_REFUSED = frozenset(("stagein", "stageout"))
_JOB = re.compile(r"(\d{1,15})(?:\[(\d*)\])?(?:\.[A-Za-z0-9.-]+)?", re.ASCII)


class Attributes(NamedTuple):
    """What the attributes say."""

    parents: tuple[Parent, ...]
    is_waited_for: bool
    without_effect: tuple[str, ...]


def read_attributes(text: str) -> Attributes:
    """Return what `-W` says.

    Raises:
        InvalidInputError: it cannot be read, or asks for what mlq cannot do.
    """
    parents: list[Parent] = []
    without_effect = []
    is_waited_for = False
    for name, value in _pairs(text):
        if name == "depend":
            parents += _parents(value)
        elif name == "block":
            is_waited_for = value.lower() in ("true", "t", "y", "1")
        elif name in _REFUSED:
            raise InvalidInputError(f"{name} is not done", fix="copy the files in the script")
        else:
            without_effect.append(f"{name}={value}")
    return Attributes(tuple(parents), is_waited_for, tuple(without_effect))


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return names and values; a part without `=` belongs to the value before it."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        name, is_set, value = part.strip().partition("=")
        if is_set:
            found.append((name, value))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]},{part.strip()}")
        else:
            raise InvalidInputError(f"{part!r} has no value")
    return found


def _parents(text: str) -> list[Parent]:
    found = []
    for clause in text.split(","):
        word, *ids = clause.strip().split(":")
        if word not in _CONDITIONS:
            why = "mlq starts a job after others have ended" if word else ""
            fix = f"use one of {', '.join(_CONDITIONS)}"
            raise InvalidInputError(f"the condition {word!r} is not known", why=why, fix=fix)
        if not ids:
            raise InvalidInputError(f"{word} names no job")
        found += [Parent(_job_id(one), _CONDITIONS[word]) for one in ids]
    return found


def _job_id(text: str) -> str:
    match = _JOB.fullmatch(text)
    if match is None:
        raise InvalidInputError(f"{text!r} is no job", fix="give ids that mlq submit printed")
    return f"{match[1]}_{match[2]}" if match[2] else match[1]
