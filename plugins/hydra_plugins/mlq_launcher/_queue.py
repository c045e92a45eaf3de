"""The calls of the command `mlq`: enqueue a sweep, and list its jobs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import typing as tp

from hydra.errors import CompactHydraException
from hydra_plugins.mlq_launcher._rows import Row

ENDED = ("finished", "failed", "canceled")
"""The states of jobs that have ended."""

_MODULE = "hydra_plugins.mlq_launcher._member"
_FLAGS = ("cores", "mem", "gpus", "vram", "time", "priority", "machine")


class MlqLauncherError(CompactHydraException):
    """Something that the user can mend; Hydra prints it without a traceback."""


class Job(tp.NamedTuple):
    """A job of a launch, as `mlq ls` lists it.

    Args:
        id: its id.
        state: its state.
        held: why it is held; "" if it is not.
        reason: how it ended.
        machine: where it runs or ran.
        log: the file of what its last attempt wrote.
        folder: of its launch.
        words: its parameters, as in its command.
    """

    id: str
    state: str
    held: str
    reason: str
    machine: str
    log: str
    folder: str
    words: tuple[str, ...]


def enqueue(
    name: str, folder: str, cwd: str, options: tp.Mapping[str, tp.Any], rows: tp.Sequence[Row]
) -> str:
    """Enqueue members of a sweep; return what mlq said of it.

    Args:
        name: of the sweep.
        folder: of the launch.
        cwd: where the jobs start.
        options: of the launcher.
        rows: the parameters of each job, all with the same names.

    Raises:
        MlqLauncherError: mlq refused.
    """
    words = ["enqueue", "--json", "--in-place", "--cwd", cwd, "--name", name, "--from", "-"]
    for flag in _FLAGS:
        value = options.get(flag)
        if value not in (None, ""):
            words += [f"--{flag}={value}"]
    # The program waits for all members and reports each that fails: that is enough to stop by.
    words += ["--max-fails=0", f"--max-running={options.get('max_running') or 0}"]
    command = [sys.executable, "-u", "-m", _MODULE, folder]
    words += ["--", *(word.replace("{", "{{").replace("}", "}}") for word in command)]
    table = "\n".join(json.dumps(row) for row in rows)
    return call([*words, "{overrides}"], table).stderr.strip()


def jobs_of(*which: str) -> list[Job]:
    """Return jobs of launches, of those that `mlq ls` lists for these words."""
    listed = json.loads(call(["ls", "--json", *which]).stdout)
    return [job for job in map(_job, listed) if job is not None]


def _job(listed: tp.Mapping[str, tp.Any]) -> tp.Optional[Job]:
    try:
        words = shlex.split(listed["command"])
        at = words.index(_MODULE) + 1
        folder = words[at]
    except (ValueError, IndexError):
        return None  # it is of no launch
    return Job(
        id=listed["id"],
        state=listed["state"],
        held=listed.get("held") or "",
        reason=listed.get("reason") or "",
        machine=listed.get("machine") or "",
        log=f"{listed['directory']}/attempts/{listed['attempt']}/output.log",
        folder=folder,
        words=tuple(words[at + 1 :]),
    )


def call(words: tp.Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Call mlq; raise MlqLauncherError with what it said if it fails."""
    try:
        done = subprocess.run(
            ["mlq", *words], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise MlqLauncherError(
            "hydra/launcher=mlq needs the command mlq, which is not in PATH"
        ) from None
    if done.returncode != 0:
        said = done.stderr.strip() or f"mlq {words[0]} ended with exit code {done.returncode}"
        raise MlqLauncherError(said)
    return done
