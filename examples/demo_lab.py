"""The private installation of the demonstration, and the power cut.

It is found by its folders, in the environment or the command line of a process: so nothing else on
this machine is touched, and nothing of it is left running.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIVENESS = {"MLQ_BEAT_S": "0.5", "MLQ_LEASE_S": "2", "MLQ_FENCE_S": "3", "MLQ_DEAD_S": "4"}

Job = dict[str, Any]


class PromiseBrokenError(Exception):
    """What the demonstration set out to show did not happen."""


class Lab:
    """A private installation of mlq: its folders, its environment, and the processes in it.

    Args:
        private: a new folder for configuration, data and sockets.
        results: the results root; it is kept.
    """

    def __init__(self, private: Path, results: Path) -> None:
        self.private, self.results = private, results
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLQ_")}
        bin_folder = Path(sys.executable).parent
        self.environ = inherited | {
            "PATH": f"{bin_folder}:{os.environ.get('PATH', os.defpath)}",
            "VIRTUAL_ENV": sys.prefix,
            "XDG_CONFIG_HOME": str(private / "config"),
            "XDG_DATA_HOME": str(private / "data"),
            "XDG_RUNTIME_DIR": str(private / "run"),
            "MLQ_ROOT": str(results),
            "MLQ_GUEST": "mine",
            "MLQ_SHARED_DIR": str(private),
            **LIVENESS,
        }
        (private / "run").mkdir(mode=0o700)

    def type(self, *words: str, lines: int = 20) -> str:
        """Run `mlq` as typed, show the command and the start of what it says; return it all."""
        print(f"\n  $ mlq {shlex.join(words)}", flush=True)
        done = self._mlq(*words, stderr=subprocess.STDOUT)
        said = done.stdout.splitlines()
        for line in said[:lines] + ["..."] * (len(said) > lines):
            print(f"    {line}", flush=True)
        if done.returncode != 0:
            raise PromiseBrokenError(f"`mlq {shlex.join(words)}` ended with {done.returncode}")
        return done.stdout

    def jobs(self) -> list[Job]:
        """Return all jobs, as `mlq ls -a --json` shows them."""
        done = self._mlq("ls", "-a", "--json")
        if done.returncode != 0:
            raise PromiseBrokenError("`mlq ls -a --json` failed")
        jobs: list[Job] = json.loads(done.stdout)
        return jobs

    def cut_power(self, machine: str) -> int:
        """Kill every process of a machine at once; return how many there were."""
        folder = self.private / "run" / "mlq" / "m" / machine
        # The worker first: it would start another supervisor.
        roots = [int((folder / f"{name}.pid").read_text()) for name in ("worker", "supervisor")]
        tree = descendants(roots)
        for pid in tree:
            kill(pid)
        return len(tree)

    def processes(self) -> list[int]:
        """Return every process that belongs to this installation."""
        marks = [os.fsencode(folder) for folder in (self.private, self.results)]
        return [pid for pid in all_pids() if any(mark in traces_of(pid) for mark in marks)]

    def _mlq(self, *words: str, stderr: int | None = None) -> subprocess.CompletedProcess[str]:
        mlq = shutil.which("mlq", path=self.environ["PATH"])
        if mlq is None:
            raise PromiseBrokenError("there is no mlq here: run `make venv`, then `make demo`")
        return subprocess.run(
            [mlq, *words],
            env=self.environ,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names


def traces_of(pid: int) -> bytes:
    """Return a process's environment and command line; a Redis server has overwritten the first."""
    process = Path(f"/proc/{pid}")
    try:
        return (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""


def descendants(roots: list[int]) -> list[int]:
    """Return the processes in `roots`, in that order, and after them all their descendants."""
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        with contextlib.suppress(OSError):  # it has ended
            # proc(5): the parent is the second field after the name, which is in parentheses.
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(pid)
    tree = list(roots)
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
