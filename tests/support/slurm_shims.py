"""Slurm's commands of `mlq shims slurm`, typed by a user of a lab."""

from __future__ import annotations

import subprocess
from pathlib import Path

from local_lab import Lab


class Slurm:
    """The commands, for one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = Path(lab.sandbox.folder)
        path = lab.sandbox.ok("shims", "slurm").strip()
        environ = lab.sandbox.environ
        self.environ = {**environ, "PATH": f"{path}:{environ['PATH']}"}

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env=self.environ,
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def ok(self, *words: str, text: str | None = None) -> str:
        done = self.run(*words, text=text)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def fails(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.stderr
