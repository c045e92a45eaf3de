"""How a supervisor is started so that its jobs can have cgroups: in a scope of the user's systemd.

Only a scope that outlives its user's last session is of use: without lingering systemd ends it at
the logout, and with it jobs that would otherwise go on. A worker that is a unit itself ends then
anyway. Standard library only, and nothing here waits for another process.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlq.settings.people import user_name

_UNIT = re.compile(r"/user@\d+\.service/.*\bmlq-worker[^/]*\.service$")


class Machine(NamedTuple):
    """Where this machine says what systemd can do for its user.

    Args:
        cgroups: where cgroups of version 2 are mounted.
        linger: the folder in which systemd notes who lingers.
        run: the folder of users' runtime folders.
        own: the cgroup of this process, as in /proc/self/cgroup.
    """

    cgroups: Path = Path("/sys/fs/cgroup")
    linger: Path = Path("/var/lib/systemd/linger")
    run: Path = Path("/run/user")
    own: str = ""


def this_machine() -> Machine:
    """Return this machine."""
    try:
        return Machine(own=Path("/proc/self/cgroup").read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return Machine()


def why_not(machine: Machine) -> str:
    """Return why no scope is of use here, for people; "" if one is."""
    try:
        controllers = (machine.cgroups / "cgroup.controllers").read_text().split()
    except OSError:
        return "this machine has no cgroups of version 2 alone"
    if "memory" not in controllers:
        return "cgroups here do not limit memory"
    if not shutil.which("systemd-run"):
        return "there is no systemd-run"
    if not (machine.run / str(os.getuid()) / "systemd" / "private").exists():
        return "no systemd runs for this user"
    if not (machine.linger / user_name()).exists() and not _UNIT.search(machine.own):
        return "a scope would end at the logout: `loginctl enable-linger` changes that"
    return ""


def in_scope(command: Sequence[str]) -> list[str]:
    """Return the command that starts another in a scope of its own, in which it may make cgroups.

    The name is new each time: an old scope lives as long as a process of it.
    """
    unit = f"--unit=mlq-{os.urandom(6).hex()}"
    flags = ("--user", "--scope", "--quiet", "--collect", "--property=Delegate=yes", unit)
    return ["systemd-run", *flags, "--", *command]


def with_bus(environment: Mapping[str, str], machine: Machine) -> dict[str, str]:
    """Return variables with which systemd-run finds the user's systemd, also from cron."""
    return {"XDG_RUNTIME_DIR": str(machine.run / str(os.getuid())), **environment}
