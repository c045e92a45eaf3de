"""A whole lab in a box: a queue's host, machines with workers, a laptop, and what joins them.

Everything is real: `mlq server` and `mlq worker` run as an ordinary user, the workers reach the
queue by ssh, and `mlq` is typed on the laptop, which has the results root not even mounted. Only
the times after which silence counts are shorter, all by the same factor.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from box import Box, new_box
from machine import HOME, SHARE, SPOOL, UID, USER, NamespaceMachine
from sandbox import MLQ, Completed
from share import Share
from ssh_world import make_key
from waiting import wait_for
from watch import SOCKET, Watch

from mlq.files.layout import Layout

# A tenth of the defaults, all four of them, so that the margins between them are in proportion.
BEAT_S, LEASE_S, FENCE_S, DEAD_S = 1.0, 4.5, 6.0, 9.0
QUEUE, LAPTOP = "queue", "laptop"
OFFER = ("--cores", "2", "--gpus", "none")  # what each machine gives to jobs
TICKER = Path(__file__).with_name("ticker.py")
_ROOT = SHARE / "mlq"
_SETTINGS = {
    "root": str(_ROOT),
    "beat_s": BEAT_S,
    "lease_s": LEASE_S,
    "fence_s": FENCE_S,
    "dead_s": DEAD_S,
    "poll_s": 0.5,
    "stop_grace_s": 2,
    "default_mem_mib": 50,
    "guest": "mine",
}
# A connection of which sshd hears nothing for so long is dropped: a laptop that sleeps.
_SSHD = """
Port 22
HostKey /run/lab/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
ClientAliveInterval 4
ClientAliveCountMax 3
"""


class Campus:
    """The lab. `machines` are those with workers, by name; `laptop` and `queue` the others."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.spool, self._source = box.folder / "spool", box.folder / "nfs"
        self.layout = Layout(self._source / "mlq")
        for folder in (self.spool, self._source, self.spool / "ticks"):
            folder.mkdir()
            os.chown(folder, UID, UID)
        make_key(box.folder / "id")
        self.machines: dict[str, NamespaceMachine] = {}
        self.shares: dict[str, Share] = {}
        self._all: list[NamespaceMachine] = []
        self.ticker = [sys.executable, "-S", "-E", str(TICKER)]  # where the machines have it

    # --- building it ----------------------------------------------------------------------------

    def build(self, workers: int) -> None:
        """Make the machines, switch them on, start the queue, and write everybody's settings."""
        names = [QUEUE, LAPTOP, *(f"lab{number:02}" for number in range(1, workers + 1))]
        for number, name in enumerate(names, start=11):
            folder = self.box.folder / "nowhere"
            if name != LAPTOP:
                self.shares[name] = Share(self.box, self._source, name, UID)
                folder = self.shares[name].mount
            folder.mkdir(exist_ok=True)
            self._all.append(NamespaceMachine(self.box, name, number, folder))
        self.queue, self.laptop, *labs = self._all
        self.machines = {one.name: one for one in labs}
        for machine in self._all:
            make_key(machine.disk / "etc" / "host_key")
        for machine in self._all:
            self._furnish(machine)
            machine.power_on()
        self.ok("server", "start", on=self.queue)
        self.watch = Watch(self.queue, self.layout)
        for machine in (self.laptop, *labs):
            self._hand_over_secrets(machine)

    def _furnish(self, machine: NamespaceMachine) -> None:
        """Write what is on its disk: accounts, names, keys, settings."""
        etc, home = machine.disk / "etc", machine.disk / "home"
        passwd = Path("/etc/passwd").read_text()
        group = Path("/etc/group").read_text()
        (etc / "passwd").write_text(f"{passwd}{USER}:*:{UID}:{UID}::{HOME}:/bin/bash\n")
        (etc / "group").write_text(f"{group}{USER}:x:{UID}:\n")
        (etc / "hostname").write_text(f"{machine.name}\n")
        hosts = "".join(f"{one.address} {one.name}\n" for one in self._all)
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        environ = self._environ()
        (etc / "environment").write_text("".join(f"{k}={v}\n" for k, v in environ.items()))
        given = " ".join(f'"{key}={value}"' for key, value in environ.items())
        (etc / "sshd_config").write_text(f"{_SSHD}SetEnv {given}\n")
        ssh = home / ".ssh"
        known = [
            f"{one.name} {(one.disk / 'etc' / 'host_key.pub').read_text()}" for one in self._all
        ]
        _own(ssh, None)
        _own(ssh / "id_ed25519", (self.box.folder / "id").read_text())
        _own(ssh / "authorized_keys", (self.box.folder / "id.pub").read_text())
        _own(ssh / "known_hosts", "".join(known))
        config = home / ".config" / "mlq"
        for folder in (config.parent, config):
            _own(folder, None)
        _own(config / "config.toml", self._config(machine))

    @staticmethod
    def _environ() -> dict[str, str]:
        return {
            "HOME": str(HOME),
            "USER": USER,
            "LANG": "C.UTF-8",
            "PATH": f"{MLQ.parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            # The clone is not the user's to write in, and two cores are few.
            "PYTHONPYCACHEPREFIX": str(SPOOL / "pycache"),
        }

    def _config(self, machine: NamespaceMachine) -> str:
        settings: dict[str, object] = dict(_SETTINGS)
        settings["machines"] = sorted(self.machines)
        if machine.name != QUEUE:
            settings["queue_host"] = QUEUE
            settings["remote_socket"] = SOCKET
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())

    def _hand_over_secrets(self, machine: NamespaceMachine) -> None:
        source = self.queue.disk / "home" / ".config" / "mlq"
        for name in ("redis.password", "signing.key"):
            target = machine.disk / "home" / ".config" / "mlq" / name
            _own(target, (source / name).read_text())

    # --- what people do -------------------------------------------------------------------------

    def mlq(self, *words: str, on: NamespaceMachine | None = None) -> Completed:
        """Type `mlq` on the laptop, or elsewhere."""
        return (on or self.laptop).run(str(MLQ), *words)

    def ok(self, *words: str, on: NamespaceMachine | None = None) -> str:
        """Type `mlq`, make sure that all went well, and return what it printed."""
        done = self.mlq(*words, on=on)
        assert done.code == 0, done
        return done.out

    def start_workers(self, *names: str) -> None:
        """Start the workers of these machines, or of all."""
        for name in names or self.machines:
            self.start_worker(self.machines[name])

    def start_worker(self, machine: NamespaceMachine) -> None:
        """Start a machine's worker, which gives two cores to jobs."""
        self.ok("worker", "start", *OFFER, on=machine)

    def enqueue(self, seconds: float, *words: str, checkpoints: bool = True) -> str:
        """Enqueue a job that runs so long; returns its id. It is acknowledged from now on."""
        job = [*self.ticker, str(seconds), *(["nfs"] if checkpoints else [])]
        return self.ok("enqueue", "--cwd", "/", *words, "--", *job).strip()

    def shown(self, name: str) -> dict[str, Any]:
        """Return what `mlq machines --json` says of a machine."""
        rows = json.loads(self.ok("machines", "--json", on=self.queue))
        found: dict[str, Any] = next((row for row in rows if row["machine"] == name), {})
        return found

    # --- waiting --------------------------------------------------------------------------------

    def worker_pid(self, machine: NamespaceMachine) -> int:
        """Return a machine's worker, as counted on this box; waits until there is one."""

        def worker() -> list[int]:
            return [
                pid
                for pid, words in machine.processes().items()
                if " -m mlq_worker " in words or " worker start --foreground " in words
            ]

        return wait_for(worker, 60, f"the worker of {machine.name}")[0]

    def until_worker(self, machine: NamespaceMachine) -> float:
        """Wait until a machine's worker runs; returns since when (CLOCK_MONOTONIC)."""
        stat = Path(f"/proc/{self.worker_pid(machine)}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")

    def worker_status(self, name: str) -> str:
        """Return what a machine's worker says of itself."""
        status = f"/tmp/mlq-{UID}/m/{name}/worker.status"
        return self.machines[name].seen(status).read_text()

    def story(self) -> str:
        """Return what the machines' workers have logged, for a test that failed."""
        logs = [
            f"--- {name}\n{path.read_text()}"
            for name, machine in self.machines.items()
            if (path := machine.seen(f"/tmp/mlq-{UID}/m/{name}/worker.log")).exists()
        ]
        return "\n".join(logs)

    def until_idle(self, machine: NamespaceMachine) -> None:
        """Wait until no job's process is left on a machine."""

        def jobs() -> list[str]:
            return [line for line in machine.processes().values() if "ticker.py" in line]

        wait_for(lambda: not jobs(), 60, f"{machine.name} to be idle")

    def ticks(self, job_id: str, attempt: int = 1) -> list[float]:
        """Return when an attempt said that it runs, so far."""
        path = self.spool / "ticks" / f"{job_id}.{attempt}"
        # The last line may be half written.
        return [float(one) for one in path.read_text().split("\n")[:-1]] if path.exists() else []

    def until_ticks(self, job_id: str, attempt: int = 1, since_s: float = 0.0) -> float:
        """Wait until an attempt ticks later than a moment; returns that tick."""

        def ticked() -> float:
            return max((one for one in self.ticks(job_id, attempt) if one > since_s), default=0)

        return wait_for(ticked, 60, f"job {job_id}.{attempt} to run")

    def until_paused(self, job_id: str, attempt: int = 1) -> None:
        """Wait until an attempt has said nothing for two beats."""

        def silent() -> bool:
            return time.monotonic() - self.ticks(job_id, attempt)[-1] > 2 * BEAT_S

        wait_for(silent, 60, f"job {job_id}.{attempt} to pause")


def _own(path: Path, content: str | None) -> None:
    """Make a private file of the user's, or a folder if there is no content."""
    if content is None:
        path.mkdir(mode=0o700)
    else:
        path.touch(mode=0o600)
        path.write_text(content)
    os.chown(path, UID, UID)


@contextmanager
def new_campus(workers: int = 2) -> Iterator[Campus]:
    """Make a lab with a running queue and machines without workers; nothing of it is left."""
    assert UID not in {one.pw_uid for one in pwd.getpwall()}, f"user {UID} exists on this box"
    with new_box() as box:
        campus = Campus(box)
        campus.build(workers)
        yield campus
