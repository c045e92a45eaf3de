"""A whole installation in use: queue, worker, supervisor, a running job, ended jobs, tunnels."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from attack import belongings, intruder
from cmdlines import CommandLines
from people import Person
from sandbox import Sandbox
from ssh_world import SshWorld, new_ssh_world
from victim import home_of, new_estate
from waiting import wait_for

from mlq.tunnel.target import Target

KINDS = ("openssh", "sshtunnel")
SECRETS = ("redis.password", "signing.key")
_JOB = """
echo out; echo err >&2; echo 1 > "$MLQ_OUTPUT_DIR/model"; mkdir "$MLQ_CHECKPOINT_DIR/deep"
echo 2 > "$MLQ_CHECKPOINT_DIR/deep/weights"; echo '{"done": 0.5}' >> "$MLQ_PROGRESS_FILE"
"""


@dataclass(frozen=True)
class LivedIn:
    """Everything of one user, and what was seen while it was made.

    Args:
        owner: whose it is.
        estate: the folder of all; what is below it was made by mlq, but for what is in `given`.
        home: where the queue and the worker run.
        laptops: installations that reach the queue by a tunnel of each kind.
        given: what the test made itself.
        ambush: what another user tried meanwhile, again and again.
        cmdlines: of all processes that were seen.
        secrets: those of the queue, by the names of their files.
    """

    owner: Person
    estate: Path
    home: Sandbox
    laptops: dict[str, Sandbox]
    given: set[Path]
    ambush: list[tuple[str, str]]
    cmdlines: set[bytes]
    secrets: dict[str, bytes]

    @property
    def made(self) -> list[Path]:
        """All that mlq made, in the estate and wherever everybody may write."""
        return [one for one in belongings(self.owner, self.estate) if one not in self.given]


@contextmanager
def new_lived_in(owner: Person, stranger: Person, mlq: Path) -> Iterator[LivedIn]:
    """Make it all, while a stranger lies in wait for the sockets."""
    with new_estate() as estate, new_ssh_world() as world, ExitStack() as stack:
        home = home_of(owner, estate / "home", mlq, MLQ_RUNTIME_DIR=str(estate / "home" / "r"))
        ssh = _ssh_files(world, owner, estate / "ssh")
        laptops = {kind: _laptop(owner, estate / kind, home, ssh, kind) for kind in KINDS}
        given = set(belongings(owner, estate))
        before = set(owner.processes())
        seen = stack.enter_context(CommandLines())
        ambush = stack.enter_context(intruder(stranger, "lie in wait", *_targets(home, laptops)))
        _live(home)
        for laptop in laptops.values():
            shutil.copytree(home.folder / ".config", laptop.folder / ".config")
            for path in (laptop.folder / ".config").rglob("*"):
                owner.own(path)
            owner.own(laptop.folder / ".config")
            given |= set(belongings(owner, laptop.folder / ".config"))
            assert "finished" in laptop.ok("ls")
        secrets = {
            path.name: path.read_bytes().strip()
            for path in (home.folder / ".config" / "mlq").iterdir()
            if path.name in SECRETS
        }
        tried, lines = ambush.stop(), seen.stop(before)
        yield LivedIn(owner, estate, home, laptops, given, tried, lines, secrets)


def _live(home: Sandbox) -> None:
    home.ok("server", "start")
    home.ok("worker", "start", "--cores", "2", "--gpus", "none")
    done = home.run("enqueue", "--wait", "--name", "ended", "--", "/bin/sh", "-c", _JOB)
    assert done.code == 0, done
    home.ok("enqueue", "--", "/bin/sh", "-c", "echo begun; exec sleep 1000")
    wait_for(lambda: "begun" in home.run("logs", "2").out, what="a job to run")
    for words in (["ls"], ["machines"], ["doctor"], ["config"], ["worker", "status"]):
        home.run(*words)


def _ssh_files(world: SshWorld, owner: Person, folder: Path) -> Path:
    """Make a host `queue` that lets the owner in; returns their ssh configuration."""
    world.host("queue")
    world.folder.chmod(0o755)  # sshd reads the list of keys as the owner
    (world.folder / "authorized_keys").chmod(0o644)
    folder.mkdir(mode=0o700)
    for name in ("id", "known_hosts", "ssh_config"):
        text = (world.folder / name).read_text().replace(f"{world.folder}/", f"{folder}/")
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
        owner.own(folder / name)
    owner.own(folder)
    return folder / "ssh_config"


def _laptop(owner: Person, folder: Path, home: Sandbox, ssh: Path, kind: str) -> Sandbox:
    variables = {
        "MLQ_RUNTIME_DIR": str(folder / "r"),
        "MLQ_ROOT": str(home.folder / ".local/share/mlq"),
        "MLQ_QUEUE_HOST": "queue",
        "MLQ_REMOTE_SOCKET": str(home.folder / "r" / "redis.sock"),
        "MLQ_SSH_CONFIG": str(ssh),
        "MLQ_TUNNEL": kind,
    }
    return home_of(owner, folder, home.program, **variables)


def _targets(home: Sandbox, laptops: dict[str, Sandbox]) -> list[Path]:
    """Return where the sockets will be, and the folders they will be in."""
    runtime = home.folder / "r"
    files = [runtime / "redis.sock", runtime / "m" / "desk" / "supervisor.sock"]
    files += [home.folder / ".config" / "mlq" / name for name in SECRETS]
    for kind, laptop in laptops.items():
        settings = laptop.environ
        target = Target(
            settings["MLQ_QUEUE_HOST"],
            "",
            settings["MLQ_REMOTE_SOCKET"],
            how=kind,
            ssh_config=settings["MLQ_SSH_CONFIG"],
        )
        place = laptop.folder / "r" / "t" / target.folder_name
        files += [place / name for name in ("sock", "new", "ctl", "log")]
    return files
