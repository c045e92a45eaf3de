"""Sends mlq to the results root: `deploy_payload` runs there, by the first Python new enough.

One connection carries everything: the program's text and the wheel are the input of a `sh` that
finds the Python.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from mlq.errors import MlqError
from mlq_cli.remote import deploy_payload
from mlq_cli.remote.ssh import Ran
from mlq_cli.remote.wheel import Wheel

PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")

_NO_PYTHON = 94
_CHECK = "import sys; sys.exit(sys.version_info < (3, 11))"
_BEGIN = "import sys; exec(sys.stdin.buffer.read(int(sys.argv.pop(1))))"
_SCRIPT = (
    f'pythons=$1; shift; for p in $pythons; do "$p" -c "{_CHECK}" </dev/null >/dev/null 2>&1 && '
    f'exec "$p" -I -c "{_BEGIN}" "$@"; done; '
    f'for p in $pythons; do "$p" --version </dev/null 2>/dev/null; done >&2; exit {_NO_PYTHON}'
)


# Runs words with an input, there or here, and calls the last argument with each line of output.
Runner = Callable[[Sequence[str], bytes, Callable[[str], None]], Ran]


def run_here(words: Sequence[str], stdin: bytes, told: Callable[[str], None]) -> Ran:
    """Run a command on this machine that reads all its input before it says anything."""
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        with suppress(BrokenPipeError), process.stdin or nullcontext() as stream:
            if stream is not None:
                stream.write(stdin)
        for line in process.stdout or ():
            told(line.decode(errors="replace"))
        code = process.wait()
        errors.seek(0)
        return Ran(code, "", errors.read().decode(errors="replace"))


def deploy(
    run: Runner, where: str, root: Path, wheel: Wheel, python: str, told: Callable[[str], None]
) -> dict[str, Any]:
    """Put a wheel into the results root and make it the version in use.

    Args:
        run: runs a command on the machine that deploys.
        where: that machine, for messages.
        root: the results root, by its path there.
        wheel: what to install.
        python: the Python to use; "": the newest found.
        told: called with each line of progress.

    Returns:
        version, before (the version in use until now, or ""), built (False if the version
        existed already) and dropped (the versions deleted).

    Raises:
        MlqError: the deployment failed; the version in use stays.
    """
    program = Path(deploy_payload.__file__).read_bytes()
    arguments = [str(len(program)), str(root), wheel.label, wheel.name]
    ended: dict[str, Any] = {}

    def heard(line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if isinstance(message, dict):
            ended.update(message)
            told(str(message.get("say") or "done"))

    words = ["sh", "-c", _SCRIPT, "sh", python or " ".join(PYTHONS), *arguments]
    ran = run(words, program + wheel.data, heard)
    if ran.code == _NO_PYTHON:
        raise _no_python(where, python, ran.err)
    if "error" in ended:
        what, why, fix = ended["error"]
        raise MlqError(f"{where}: {what}", why=why, fix=fix)
    if "done" not in ended:
        lines = [line for line in ran.err.splitlines() if line.strip()]
        raise MlqError(f"deploying on {where} failed", why=(lines or [f"exit {ran.code}"])[-1])
    return dict(ended["done"])


def _no_python(where: str, python: str, said: str) -> MlqError:
    if python:
        why = f"{python} is {said.strip() or 'not there'}"
    else:
        why = f"its newest is {said.strip().splitlines()[0]}" if said.strip() else "it has none"
    return MlqError(
        f"{where} has no Python that mlq can use",
        why=f"{why}, and 3.11 is needed",
        fix="name one that all machines have: `mlq deploy --python /path/to/python3.11`; without "
        "root, `uv python install` or conda put one onto NFS",
    )
