"""Runs commands of mlq for the screen, as if the user had typed them elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from mlq_cli.render.clean import clean

# -P: a folder named `queue` or `mlq` where the screen was started must not be imported.
_MLQ = (sys.executable, "-P", "-m", "mlq_cli.main")


class Ran(NamedTuple):
    """What a command said in one line, and whether it succeeded."""

    says: str
    ok: bool


def run_all(commands: Sequence[Sequence[str]]) -> Ran:
    """Run commands one after the other, up to the first that fails; return what the last said.

    They have no terminal, so none of them asks. They take as long as they take: whoever calls this
    does so in a thread.
    """
    ran = Ran("", ok=True)
    for words in commands:
        done = subprocess.run(
            [*_MLQ, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        said = " ".join(f"{done.stdout} {done.stderr}".split())
        ran = Ran(clean(said), ok=done.returncode == 0)
        if not ran.ok:
            break
    return ran
