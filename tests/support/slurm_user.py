"""A user of programs made for Slurm: their Python has no mlq, PATH begins with Slurm's commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from local_lab import Lab


class SlurmUser:
    """A user of programs made for Slurm."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.folder = lab, Path(lab.folder)
        shims = lab.sandbox.ok("shims", "slurm").strip()
        self.path = f"{shims}:{os.environ['PATH']}"

    def run(self, python: Path, *words: str, timeout_s: float = 100) -> str:
        """Run the user's Python; return what it wrote to standard output."""
        environ = {**self.lab.environ, "PATH": f"{self.path}:{python.parent}"}
        done = subprocess.run(
            [python, *words],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        return done.stdout
