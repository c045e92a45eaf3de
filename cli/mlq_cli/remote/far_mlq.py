"""Runs the mlq of the results root on another machine.

It starts that mlq by its path below the root, and passes the root. So a machine whose own
configuration names no root, or another one, still works for this queue's root, or says why it
cannot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlq.errors import MlqError, UnsafePathError
from mlq.files.layout import CURRENT, SOFTWARE
from mlq.tunnel.target import OURS_ALONE
from mlq_cli.remote.fanout import Task, Way
from mlq_cli.remote.outcome import Outcome
from mlq_cli.remote.ssh import Ran, Ssh

_NO_ROOT, _NO_MLQ, _NO_PYTHON, _OPEN = 91, 92, 93, 94
_SCRIPT = (
    f'r=$1; shift; c=$r/{SOFTWARE}/{CURRENT}; [ -d "$r" ] || exit {_NO_ROOT}; '
    # Another user who can write there could have put another mlq in place.
    f"d=$r/; {{ {OURS_ALONE}; }} || exit {_OPEN}; "
    f'[ -e "$c/bin/mlq" ] || exit {_NO_MLQ}; [ -x "$c/bin/python" ] || exit {_NO_PYTHON}; '
    'MLQ_ROOT=$r; export MLQ_ROOT; exec "$c/bin/mlq" "$@"'
)

Read = Callable[[str, Ran], Outcome]


def command(root: Path, words: Sequence[str]) -> list[str]:
    """Return the words that run `mlq` with these words there."""
    return ["sh", "-c", _SCRIPT, "mlq", str(root), *words]


def task(
    ssh: Ssh, root: Path, words: Sequence[str], *, timeout_s: float | None, read: Read
) -> Task:
    """Return the task of running `mlq` with these words on a machine.

    Args:
        ssh: runs it.
        root: the results root, by the path that the machines use.
        words: what to type after `mlq`.
        timeout_s: see `Ssh.run`.
        read: makes an outcome of the exit code and the output.
    """

    def run(machine: str, way: Way) -> Outcome:
        ran = ssh.run(
            machine,
            command(root, words),
            timeout_s=timeout_s,
            connected=way.connected,
            told=lambda line: way.told(line.strip().removeprefix("mlq: ")),
        )
        _refuse_missing(machine, root, ran.code)
        return read(machine, ran)

    return run


def read_words(machine: str, ran: Ran) -> Outcome:
    """Return the outcome of a command that prints words, not JSON."""
    if ran.code == 0:
        lines = (ran.out.strip() or ran.err.strip()).splitlines()
        return Outcome(machine, ok=True, says=lines[-1].removeprefix("mlq: ") if lines else "done")
    return failure(machine, ran)


def read_objects(machine: str, ran: Ran) -> list[dict[str, Any]]:
    """Return what a command with `--json` printed.

    Raises:
        MlqError: it printed something else, which the error quotes.
    """
    try:
        found = json.loads(ran.out)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        failed = failure(machine, ran)
        raise MlqError(failed.says, fix=failed.fix)
    return found


def read_status(machine: str, ran: Ran) -> Outcome:
    """Return the outcome of `mlq worker status --json` and of `mlq server status --json`."""
    found = read_objects(machine, ran)[0]
    facts = ("doing", "note", "version", "socket", "at_boot")
    says = [str(found[name]).splitlines()[0] for name in facts if found.get(name)]
    head = f"runs (process {found.get('pid')})" if found.get("running") else "does not run"
    if found.get("supervised") and not found.get("running"):
        head += ", but its supervisor does: jobs go on"
    ok = ran.code == 0
    fix = "" if ok else "start it with `mlq worker start --on`, or `mlq server start --on`"
    return Outcome(machine, ok, "; ".join([head, *says]), "" if ok else fix, found)


def failure(machine: str, ran: Ran) -> Outcome:
    """Return the outcome of a command that failed, in its own words."""
    lines = ran.err.rstrip().splitlines()
    # Only the last message: lines of progress stand before it.
    start = max((at for at, line in enumerate(lines) if line.startswith("mlq: ")), default=None)
    if start is None:
        return Outcome(machine, ok=False, says=lines[-1] if lines else f"exit {ran.code}")
    fix = " ".join(line.strip() for line in lines[start + 1 :])
    return Outcome(machine, ok=False, says=lines[start].removeprefix("mlq: "), fix=fix)


def _refuse_missing(machine: str, root: Path, code: int) -> None:
    if code == _NO_ROOT:
        raise MlqError(
            f"the results root {root} is not there",
            fix=f"is it mounted on {machine}, and is `root` right (`mlq config`)?",
        )
    if code == _OPEN:
        raise UnsafePathError(
            f"the results root {root} is open to others",
            why="they could have put another mlq there",
            fix=f"if no other user has used it: chmod 700 {root}",
        )
    if code == _NO_MLQ:
        raise MlqError(f"there is no mlq in {root / SOFTWARE}", fix="`mlq deploy` puts it there")
    if code == _NO_PYTHON:
        raise MlqError(
            f"the Python of {root / SOFTWARE / CURRENT} is missing on {machine}",
            why="its packages differ from those of the machine on which mlq was deployed",
            fix="deploy with a Python that all machines have: `mlq deploy --python PATH`",
        )
