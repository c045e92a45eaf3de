"""Hosts to reach by ssh: real sshd processes, with keys and lists of their own.

Each host is an sshd on a port of the loopback interface. Nothing of the user's ssh is read or
written: the world has its own ssh configuration, key and known_hosts, and no agent.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ci import require
from waiting import wait_for

from mlq_worker.ipc import procfs

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


class SshHost:
    """One host: an sshd that can be stopped and started again, behind a wire that can be cut."""

    def __init__(self, folder: Path, name: str, options: dict[str, str]) -> None:
        self.folder, self.name = folder, name
        self.key = folder / f"{name}.key"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.new_key()
        self.wire = Wire()
        self.port = self.wire.port

    def new_key(self) -> None:
        """Give the host another host key; sshd must be started anew to use it."""
        for path in (self.key, self.key.with_suffix(".key.pub")):
            path.unlink(missing_ok=True)
        make_key(self.key)

    @property
    def public_key(self) -> str:
        """Type and key, as known_hosts has them."""
        return " ".join(self.key.with_suffix(".key.pub").read_text().split()[:2])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its key."""
        shown = subprocess.run(
            ["ssh-keygen", "-l", "-f", self.key], capture_output=True, text=True, check=True
        )
        return shown.stdout.split()[1]

    @property
    def log(self) -> str:
        """What sshd has said so far."""
        return (self.folder / f"{self.name}.log").read_text()

    def start(self, **options: str) -> None:
        """Start sshd and wait until it answers; `options` replace those it was made with."""
        port = free_port()
        lines = {
            "Port": str(port),
            "ListenAddress": "127.0.0.1",
            "HostKey": str(self.key),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "AuthorizedKeysFile": str(self.folder / "authorized_keys"),
            "MaxStartups": "100",
            **self._options,
            **options,
        }
        config = self.folder / f"{self.name}.sshd"
        config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        assert SSHD
        log = self.folder / f"{self.name}.log"
        self._process = subprocess.Popen([SSHD, "-D", "-f", config, "-E", log])
        wait_for(lambda: answers(port), what=f"sshd of {self.name}")
        self.wire.leads_to = port

    def stop(self) -> None:
        """End sshd and every connection to it, as the end of the host would."""
        if self._process is not None:
            pid = self._process.pid
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)  # it must start no session that is missed here
            wait_for(lambda: (one := procfs.look_at(pid)) is None or one.state in "TZX")
            sessions = sessions_of(pid)
            self._process.kill()
            self._process.wait()
            self._process = None
            for pid in sessions:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.wire.drop_all()

    def end(self) -> None:
        """Stop for good."""
        self.stop()
        self.wire.close()


class Wire:
    """A port that leads to another one, and can fall silent like a cut cable: no FIN, no RST."""

    def __init__(self) -> None:
        self.leads_to = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._carries = threading.Event()
        self._carries.set()
        self._era = 0
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Swallow all that is connected now, as after a change of address; carry what comes."""
        self._era += 1

    def cut(self) -> None:
        """Swallow everything from now on."""
        self._carries.clear()
        self.forget()

    def heal(self) -> None:
        """Carry again what connects from now on."""
        self._carries.set()

    def drop_all(self) -> None:
        """Break every connection."""
        ends, self._ends = self._ends, []
        for one in ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._carries.set()
        self.drop_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._ends.append(near)
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._carries.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.leads_to), 5)
        except OSError:
            near.close()
            return
        self._ends.append(far)
        far.settimeout(None)
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a wire waits for nothing
            words = (one, other, self._era)
            threading.Thread(target=self._carry, args=words, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, era: int) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self._era != era:
                    return  # swallowed, and both ends stay open
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


class SshWorld:
    """Some hosts, and what a user has to reach them: configuration, key, list of host keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.known_hosts = folder / "id", folder / "known_hosts"
        self.config = folder / "ssh_config"
        make_key(self.key)
        (folder / "authorized_keys").write_text((folder / "id.pub").read_text())
        self.hosts: dict[str, SshHost] = {}
        self.write_config()

    def host(self, name: str, **options: str) -> SshHost:
        """Add a host, start its sshd and list its key."""
        host = self.hosts[name] = SshHost(self.folder, name, options)
        host.start()
        self.list_keys()
        self.write_config()
        return host

    def list_keys(self, *names: str) -> None:
        """List the present keys of these hosts (default: all) and of no other."""
        listed = [self.hosts[name] for name in names or self.hosts]
        lines = [f"[127.0.0.1]:{host.port} {host.public_key}\n" for host in listed]
        self.known_hosts.write_text("".join(lines))

    def write_config(self, general: str = "", **of_host: str) -> None:
        """Write the ssh configuration; more lines for all hosts, and for single ones."""
        sections = [
            f"Host {name}\n  HostName 127.0.0.1\n  Port {host.port}\n  {of_host.get(name, '')}\n"
            for name, host in self.hosts.items()
        ]
        everywhere = [
            "Host *",
            f"  IdentityFile {self.key}",
            "  IdentitiesOnly yes",
            f"  UserKnownHostsFile {self.known_hosts}",
            "  GlobalKnownHostsFile /dev/null",
            f"  {general}",
        ]
        self.config.write_text("\n".join([*sections, *everywhere, ""]))


def sessions_of(listener: int) -> list[int]:
    """Return the sshd processes below one that listens.

    They outlive it, and wait for ever if their network falls silent. What they run is left out.
    """
    found = [listener]
    for parent in found:
        with suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
            found += [pid for pid in map(int, children.split()) if _is_sshd(pid)]
    return found[1:]


def _is_sshd(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("sshd")
    return False


def make_key(path: Path) -> None:
    """Make a key pair without passphrase."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True
    )


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def answers(port: int) -> bool:
    """Whether an sshd answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as one:
            one.settimeout(2)
            return one.recv(4) == b"SSH-"
    except OSError:
        return False


@contextmanager
def new_ssh_world() -> Iterator[SshWorld]:
    """Make a world without hosts, and end all of it afterwards; skip without sshd."""
    require(SSHD and shutil.which("ssh-keygen"), "needs sshd (package openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd drops its privileges
    folder = Path(tempfile.mkdtemp(prefix="mlq-ssh-"))
    world = SshWorld(folder)
    try:
        yield world
    finally:
        for host in world.hosts.values():
            host.end()
        shutil.rmtree(folder)
