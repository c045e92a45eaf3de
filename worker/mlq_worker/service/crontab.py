"""The user's crontab, with at most one line of ours for each machine.

Each of our lines ends in a mark, by which it is found again: whatever else is in the crontab stays
as it is, byte for byte.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from mlq.errors import WorkerError

_LONGEST_COMMAND = 990  # Debian's cron cuts commands at 1000 characters
_TRIES = 30


def read() -> str | None:
    """Return the user's crontab; None if there is no cron here, or not for this user."""
    try:
        listed = _crontab("-l")
    except (FileNotFoundError, PermissionError):  # the latter if a folder in PATH is closed to us
        return None
    if listed.returncode == 0:
        return listed.stdout
    return "" if "no crontab for" in listed.stderr else None


def write(text: str) -> None:
    """Replace the user's crontab.

    Raises:
        WorkerError: cron refused it; the old one stands.
    """
    written = _crontab("-", text)
    if written.returncode != 0:
        raise WorkerError("cron refused the new crontab", why=written.stderr.strip())


def _crontab(argument: str, text: str = "") -> subprocess.CompletedProcess[str]:
    # LC_ALL: "no crontab for" is looked for in its answer.
    return subprocess.run(
        ["crontab", argument],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )


def reboot_line(machine: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the crontab line that starts a machine's worker after a reboot.

    NFS and the network may come up after cron does, so it tries once a minute for half an hour.

    Raises:
        WorkerError: the line would be longer than cron can take.
    """
    words = [f"{key}={shlex.quote(value)}" for key, value in environment.items()]
    start = " ".join([*words, shlex.join(command)])
    line = f"for i in $(seq {_TRIES}); do {start} && break; sleep 60; done >/dev/null 2>&1"
    line = f"{line} {_mark(machine)}".replace("%", r"\%")  # a bare % ends a cron command
    if len(line) > _LONGEST_COMMAND or "\n" in line:
        raise WorkerError(
            "the worker's start does not fit into a crontab line",
            why="cron takes one line of up to 1000 characters",
            fix="write the settings that you pass as MLQ_… variables into config.toml",
        )
    return f"@reboot {line}"


def with_line(crontab: str, machine: str, line: str) -> str:
    """Return a crontab in which `line` is the only one of ours for the machine."""
    rest = without_line(crontab, machine)
    gap = "\n" if rest and not rest.endswith("\n") else ""
    return f"{rest}{gap}{line}\n"


def without_line(crontab: str, machine: str) -> str:
    """Return a crontab without our line for the machine."""
    lines = crontab.splitlines(keepends=True)
    return "".join(line for line in lines if not line.rstrip("\n").endswith(_mark(machine)))


def has_line(crontab: str, machine: str) -> bool:
    """Return whether our line for the machine is there."""
    return without_line(crontab, machine) != crontab


def _mark(machine: str) -> str:
    return f"# mlq-worker {machine}"
