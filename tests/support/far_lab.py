"""A lab of machines that are reached by ssh: real sshd processes that all lead to this machine.

Each machine has a name of its own by the environment its sshd gives; they share a results root, a
runtime folder and a queue. The mlq they run is this one, put where `mlq deploy` would put it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import MLQ, Sandbox, new_sandbox
from ssh_world import SshHost, SshWorld, new_ssh_world

_GIVEN = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "HOME")


class FarLab:
    """Machines, and a desk to command them from."""

    def __init__(self, desk: Sandbox, world: SshWorld) -> None:
        self.desk, self.world = desk, world
        self.root = Path(desk.environ["MLQ_ROOT"])
        desk.environ["MLQ_SSH_CONFIG"] = str(world.config)

    def machine(self, name: str, **environ: str) -> SshHost:
        """Add a machine."""
        given = {one: self.desk.environ[one] for one in _GIVEN} | environ
        given |= {"MLQ_MACHINE": name, "MLQ_GUEST": "mine"}
        values = " ".join(f'"{key}={value}"' for key, value in given.items())
        return self.world.host(name, SetEnv=values)

    def install(self) -> None:
        """Put the mlq of this test session where the machines look for theirs."""
        binaries = self.root / "software" / "tested" / "bin"
        binaries.mkdir(parents=True, mode=0o700)
        for name in ("mlq", "python"):
            (binaries / name).symlink_to(MLQ if name == "mlq" else sys.executable)
        (self.root / "software" / "current").symlink_to("tested")

    def on(self, name: str, command: str) -> str:
        """Run a shell command on a machine and return its output."""
        argv = ["ssh", "-F", self.world.config, name, command]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def end_workers(self) -> None:
        """Stop every worker and its jobs."""
        for name in self.world.hosts:
            self.desk.run("worker", "stop", "--now", "--name", name)


@contextmanager
def new_far_lab() -> Iterator[FarLab]:
    """Make a lab without machines, and end all of it afterwards."""
    with new_sandbox() as desk, new_ssh_world() as world:
        lab = FarLab(desk, world)
        try:
            yield lab
        finally:
            lab.end_workers()


def dependencies() -> dict[str, str]:
    """Return variables: pip installs nothing but the wheel, and Python finds the rest here."""
    packages = Path(sys.executable).parents[1] / "lib"
    (site,) = packages.glob("python3.*/site-packages")
    return {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PYTHONPATH": str(site)}
