"""A whole installation of mlq of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.folders import new_folder
from bench.processes import child_of
from mlq import Queue
from mlq.server import control as server
from mlq.settings.load import load

MLQ = Path(sys.executable).with_name("mlq")
MACHINE = "bench"


@dataclass(frozen=True)
class Installation:
    """One installation with a running server; `environ` is what its commands are run with."""

    folder: Path
    environ: dict[str, str]

    def mlq(self, *words: str) -> str:
        """Run `mlq` and return what it printed."""
        done = subprocess.run(
            [MLQ, *words], env=self.environ, cwd=self.folder, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"mlq {' '.join(words)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def queue(self) -> Queue:
        """The queue, through the Python API."""
        return Queue.connect(self.environ)

    @contextmanager
    def worker(self, cores: int = 2) -> Iterator[dict[str, int]]:
        """A worker while the block runs; gives the pids of all that runs, by what it is."""
        self.mlq("worker", "start", "--cores", str(cores), "--gpus", "none")
        try:
            yield self.pids()
        finally:
            self.mlq("worker", "stop", "--now")

    def pids(self) -> dict[str, int]:
        """The pids of worker, supervisor, launcher and server."""
        runtime = self.folder / "run/mlq/m" / MACHINE
        worker, supervisor = (
            int((runtime / f"{name}.pid").read_text(encoding="ascii"))
            for name in ("worker", "supervisor")
        )
        server = self.queue().store.client.call("INFO", "server")
        return {
            "worker": worker,
            "supervisor": supervisor,
            "launcher": child_of(supervisor),
            "server": _pid_in(server),
        }


def _pid_in(info: Any) -> int:
    if isinstance(info, Mapping):  # redis-py parses this reply
        return int(info["process_id"])
    lines = info.decode().splitlines()
    return next(int(line[11:]) for line in lines if line.startswith("process_id:"))


@contextmanager
def installation(
    parent: Path | None = None, *, extra_users: Sequence[str] = (), **settings: str
) -> Iterator[Installation]:
    """Make an installation with its server started.

    Args:
        parent: where its folder is made; by default in TMPDIR.
        extra_users: see `mlq.server.config.acl_text`.
        settings: names without `MLQ_`.
    """
    folder = new_folder(parent)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "MLQ_ROOT": str(folder / "root"),
        "MLQ_MACHINE": MACHINE,
        "MLQ_SNAPSHOT": "false",  # what it costs is measured by itself
        **{f"MLQ_{name.upper()}": value for name, value in settings.items()},
    }
    for name in ("home", "config", "data", "run", "root"):
        (folder / name).mkdir(mode=0o700)
    made = Installation(folder, environ)
    server.start(load(environ).settings, extra_users=extra_users)
    try:
        yield made
    finally:
        made.mlq("server", "stop")
