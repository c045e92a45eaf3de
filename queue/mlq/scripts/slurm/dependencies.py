"""Slurm's `--dependency`: which jobs to come after, and how they must have ended."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlq.jobs.parents import Condition
from mlq.scripts.script_job import Parent

_CONDITIONS: dict[str, Condition] = {
    "afterok": "finished",
    "afterany": "ended",
    "afternotok": "failed",
}


class Dependencies(NamedTuple):
    """What a job waits for."""

    parents: tuple[Parent, ...] = ()
    is_singleton: bool = False


def dependencies(text: str) -> Dependencies:
    """Return what `--dependency` says: `afterok:1042:1043,afterany:1050_7,singleton`.

    Raises:
        ValueError: it cannot be read, or names a condition that mlq does not know.
    """
    if "?" in text:
        raise ValueError("mlq starts a job once all conditions hold, and `?` means one of them")
    parents: list[Parent] = []
    is_singleton = False
    for part in text.split(","):
        word, *ids = part.strip().split(":")
        kind = word.lower()
        if kind == "singleton" and not ids:
            is_singleton = True
            continue
        if re.fullmatch(r"\d+(_(\d+|\*))?", kind):
            kind, ids = "afterany", [kind, *ids]
        if kind not in _CONDITIONS:
            known = ", ".join(_CONDITIONS)
            raise ValueError(f"mlq knows {known} and singleton, not {word or 'an empty one'}")
        parents += [Parent(_id(one, kind), _CONDITIONS[kind]) for one in ids]
        if not ids:
            raise ValueError(f"{kind} needs the id of a job: {kind}:1042")
    return Dependencies(tuple(dict.fromkeys(parents)), is_singleton)


def _id(text: str, kind: str) -> str:
    if not re.fullmatch(r"\d{1,15}(_(\d{1,9}|\*))?", text, re.ASCII):
        raise ValueError(f"{text!r} after {kind} is no id of a job")
    return text.removesuffix("_*")
