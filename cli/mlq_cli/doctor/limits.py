"""How jobs of this machine are kept to what they asked for: by the kernel, or by looks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlq.settings.settings import Settings
from mlq_cli.doctor.check import Check, ok

_TOPIC = "limits"
_SUPERVISOR = "mlq-guest"


@dataclass(frozen=True, slots=True)
class LimitsFacts:
    """What holds the memory of jobs here.

    Args:
        enforce: the setting.
        why_looks: why a supervisor that starts now gets no cgroups; "" if it gets some.
        running: for each supervisor that runs, whether its jobs have cgroups.
    """

    enforce: str
    why_looks: str = ""
    running: tuple[bool, ...] = ()


def examine(settings: Settings) -> Iterator[Check]:
    """Look at systemd and at our supervisors, and judge."""
    from mlq_worker.agent.scope import this_machine, why_not

    running = supervisors(Path("/proc"), os.getuid())
    return judge(LimitsFacts(settings.enforce, why_not(this_machine()), running))


def supervisors(proc: Path, uid: int) -> tuple[bool, ...]:
    """Return for each supervisor of a user whether it has settled in a scope of its own."""
    from mlq_worker.guest.memory.cgroups import OWN, SCOPE

    found = []
    for folder in proc.iterdir():
        try:
            if not folder.name.isdigit() or folder.stat().st_uid != uid:
                continue
            if (folder / "comm").read_text().strip() != _SUPERVISOR:
                continue
            path = Path((folder / "cgroup").read_text().strip())
        except OSError:
            continue  # it has ended
        found.append(path.name == OWN and SCOPE.fullmatch(path.parent.name) is not None)
    return tuple(found)


def judge(facts: LimitsFacts) -> Iterator[Check]:
    """Say how limits are held."""
    if facts.enforce == "none":
        yield ok(
            _TOPIC, "none is enforced (enforce = none): jobs may take more than they asked for"
        )
        return
    only = "" if facts.enforce == "all" else f"; enforced are {facts.enforce.replace(',', ', ')}"
    if facts.running and not all(facts.running) and not facts.why_looks:
        how = "looks, once a second, until the supervisor that runs has no jobs: then cgroup"
    elif facts.running and all(facts.running):
        how = "cgroup: the kernel holds the memory that jobs ask for"
    elif facts.why_looks:
        how = f"looks, once a second: {facts.why_looks}"
    else:
        how = "cgroup: the kernel will hold the memory that jobs ask for"
    yield ok(_TOPIC, f"{how}{only}")
