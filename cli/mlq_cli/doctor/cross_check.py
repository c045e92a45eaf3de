"""Finds what must be the same on all machines of a queue, and is not.

A machine with another key refuses a job that this one signed; and the reaper may give up a machine
whose times of liveness differ before that machine has paused its jobs (docs/liveness.md). A single
machine cannot detect this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mlq_cli.doctor.check import Check, Level

Found = Sequence[tuple[str, Check]]
"""Checks, each with the machine it is about."""

_REMEDIES = {
    "signing key": "jobs signed elsewhere are refused there: copy the right key with scp -p, or "
    "delete the wrong one and type `mlq init --share-secrets`",
    "times": "set beat_s, lease_s, fence_s and dead_s alike everywhere: else a job may be started "
    "again before its machine has paused it",
}


def disagreements(here: str, own: Sequence[Check], found: Found) -> list[tuple[str, Check]]:
    """Return the checks; those that differ from what the other machines have become problems.

    Args:
        here: the name of this machine.
        own: its own checks. If it lacks a value, the value that most machines have is right.
        found: the checks of the other machines.
    """
    right = {one.topic: (one.shared, here) for one in own if one.shared}
    for topic in {one.topic for _, one in found if one.shared} - right.keys():
        most = Counter(one.shared for _, one in found if one.topic == topic and one.shared)
        value = most.most_common(1)[0][0]
        name = next(machine for machine, one in found if one.shared == value)
        right[topic] = (value, name)
    return [(machine, _compared(machine, one, right)) for machine, one in found]


def _compared(machine: str, one: Check, right: dict[str, tuple[str, str]]) -> Check:
    value, name = right.get(one.topic, ("", ""))
    if not one.shared or one.shared == value or machine == name:
        return one
    says = f"{one.says}: not the same as on {name}"
    return replace(one, level=Level.PROBLEM, says=says, remedy=_REMEDIES.get(one.topic, ""))
