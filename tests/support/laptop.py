"""A laptop: an installation whose queue is on another host, reached by ssh through a gateway."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leftovers import kill_all, processes_of
from sandbox import Sandbox
from ssh_world import SshHost, SshWorld
from waiting import wait_for

KEEPER = "mlq.tunnel.shared_daemon"


class Laptop(Sandbox):
    """Where `mlq` is typed; `queue` and `gate` are the hosts on the way."""

    def __init__(self, folder: Path, environ: dict[str, str], world: SshWorld) -> None:
        super().__init__(folder, environ)
        self.world = world
        self.queue_host: SshHost = world.host("queue")
        self.gate: SshHost = world.host("gate")

    @property
    def place(self) -> Path:
        """The folder of its one tunnel."""
        (place,) = (self.folder / "run" / "mlq" / "t").iterdir()
        return place

    @property
    def keepers(self) -> list[int]:
        """The keepers that run."""
        found = processes_of(self.folder)
        return [pid for pid, command in found.items() if KEEPER in command and command[:3] != "ssh"]

    @property
    def shells(self) -> list[str]:
        """The command lines of the `ssh` processes that run."""
        return [
            one for one in processes_of(self.folder).values() if Path(one.split()[0]).name == "ssh"
        ]

    def until_left(self) -> None:
        """Wait until no keeper and no ssh runs."""
        wait_for(lambda: not processes_of(self.folder), what="the keeper to leave")

    def jobs(self) -> list[dict[str, object]]:
        """What `mlq ls --json` shows."""
        listed: list[dict[str, object]] = json.loads(self.ok("ls", "-a", "--json"))
        return listed


@contextmanager
def new_laptop(home: Sandbox, world: SshWorld, **variables: str) -> Iterator[Laptop]:
    """Make a laptop for the queue of an installation, and end all that runs of it."""
    folder = Path(tempfile.mkdtemp(prefix="mlq-"))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "MLQ_ROOT": str(home.folder / "root"),
        "MLQ_SNAPSHOT": "false",
        "MLQ_QUEUE_HOST": "queue",
        "MLQ_GATEWAY": "gate",
        "MLQ_REMOTE_SOCKET": str(home.folder / "run" / "mlq" / "redis.sock"),
        "MLQ_SSH_CONFIG": str(world.config),
        **variables,
    }
    for name in ("home", "config", "data", "run"):
        (folder / name).mkdir(mode=0o700)
    home.start_server()
    shutil.copytree(home.folder / "config" / "mlq", folder / "config" / "mlq")
    try:
        yield Laptop(folder, environ, world)
    finally:
        kill_all(folder)
        shutil.rmtree(folder)
