"""A machine of the lab in a box: what scenarios may do to one, and one made of namespaces.

`Machine` is what every kind of machine offers; scenarios use nothing else. A `NamespaceMachine` has
its own network, processes, mounts, host name, boot id, /tmp, /run, home and sshd; it shares the
kernel and the read-only rest of the file tree with this box. A power cut is the death of its first
process, with which the kernel ends all others at once, after its cable was pulled: a dead machine
sends no FIN.

mlq runs in it as an ordinary user, `USER`, who reaches the other machines by ssh with a key of
their own. The disk (home and crontab) outlives a power cut, /tmp and /run do not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import firewall
from box import Box, check, children_of, search_path
from network import Cable
from sandbox import Completed
from visibility import hidden_paths
from waiting import wait_for

USER, UID = "researcher", 4242
HOME = Path("/home") / USER
SHARE = Path("/vol/lab")  # where every machine sees the shared file system
SPOOL = Path("/spool")  # a local folder of the box, the same on all machines: never fails
BOOT = Path(__file__).with_name("boot.sh")


class Machine(Protocol):
    """A machine of the lab."""

    name: str
    address: str

    @property
    def is_on(self) -> bool:
        """Whether it has power."""

    def power_on(self) -> None:
        """Boot it, with a new boot id and empty /tmp and /run; waits until its sshd answers."""

    def power_off(self) -> None:
        """Cut its power: every process dies at once, and it sends nothing more."""

    def run(self, *argv: str, timeout_s: float = 60, **environ: str) -> Completed:
        """Run a command there as the user and return what it left."""

    def start(
        self, *argv: str, stdout: Any = None, stderr: Any = None, **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a command there as the user; output goes where Popen is told."""

    def cut(self) -> None:
        """Pull its network cable; connections stay as they are, and silent."""

    def heal(self) -> None:
        """Put the cable back."""

    def drop_port(self, port: int) -> None:
        """Swallow all packets from and to a TCP port, as a broken firewall does."""

    def pass_port(self) -> None:
        """Swallow nothing any more."""

    def freeze(self) -> None:
        """Stop every process at one instant, as when the machine sleeps."""

    def thaw(self) -> None:
        """Let them go on."""


class NamespaceMachine:
    """See `Machine`.

    Args:
        box: where it stands.
        name: its host name.
        number: the last part of its address, 1 to 254.
        share: the folder of the box that is its /vol/lab.
    """

    def __init__(self, box: Box, name: str, number: int, share: Path) -> None:
        self.name, self._box, self._share = name, box, share
        self.cable = Cable(box, name, number)
        self.disk = box.folder / "machines" / name
        self._cgroup = box.cgroup(name)
        self._outer: subprocess.Popen[bytes] | None = None
        self._pid = 0
        for folder in ("home", "etc", "crontabs", "root"):
            (self.disk / folder).mkdir(parents=True)
        os.chown(self.disk / "home", UID, UID)
        (self.disk / "crontabs").chmod(0o1777)

    @property
    def address(self) -> str:
        """Its IP address."""
        return self.cable.address

    @property
    def is_on(self) -> bool:
        """Whether it has power."""
        return bool(self._pid)

    def power_on(self) -> None:
        """Boot it; see `Machine`."""
        inside = self._box.inside(
            *("unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork", "--kill-child"),
            *("bash", str(BOOT), self.name, str(self.disk), str(self._share)),
            *(str(self._box.folder / "spool"), str(uuid.uuid4()), USER, *hidden_paths()),
        )
        self._switch_on(inside)
        self._pid = wait_for(self._find_first, what=f"the first process of {self.name}")
        self.cable.plug_in(self._pid)
        up = self.seen("/run/lab/up")
        wait_for(lambda: up.exists() or self._fail_if_dead(), 30, f"{self.name} to be up")

    def _switch_on(self, inside: list[str]) -> None:
        """Start the command that is the machine; what it says comes on its console."""
        with (self.disk / "console").open("ab") as console:
            self._outer = subprocess.Popen(
                self._joined(inside),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": search_path(), "LANG": "C.UTF-8"},
                start_new_session=True,
            )

    def _find_first(self) -> int:
        """Return the machine's PID 1, as seen from outside."""
        self._fail_if_dead()
        todo = [self._outer.pid] if self._outer else []
        for pid in todo:
            todo += children_of(pid)
            with suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                numbers = status.partition("NSpid:")[2].splitlines()[0].split()
                if len(numbers) >= 3 and numbers[-1] == "1":
                    return pid
        return 0

    def _fail_if_dead(self) -> None:
        assert self._outer and self._outer.poll() is None, self.console()

    def seen(self, path: Path | str) -> Path:
        """Return where a path of the machine is seen from outside."""
        return Path(f"/proc/{self._pid}/root{path}")

    def processes(self) -> dict[int, str]:
        """Return its processes, as counted outside, and their command lines."""
        found = {}
        for pid in (self._cgroup / "cgroup.procs").read_text().split():
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                found[int(pid)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def console(self) -> str:
        """Return what its boot has printed."""
        return (self.disk / "console").read_text()

    def power_off(self) -> None:
        """Cut its power; see `Machine`."""
        assert self._outer
        self.cable.unplug()
        os.kill(self._pid, signal.SIGKILL)
        self.thaw()  # what is frozen does not even die
        self._outer.wait(60)
        self._pid = 0

    def run(self, *argv: str, timeout_s: float = 60, **environ: str) -> Completed:
        """Run a command there as the user and return what it left."""
        process = self.start(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environ)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Completed(process.returncode, out.decode(errors="replace"), err.decode())

    def start(
        self, *argv: str, stdout: Any = None, stderr: Any = None, **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a command there as the user."""
        assert self.is_on, f"{self.name} is off"
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root"]
        become = [f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        values = [f"{key}={value}" for key, value in {**self.environ, **environ}.items()]
        words = ["nsenter", f"--target={self._pid}", *spaces, "--", "setpriv", *become]
        return subprocess.Popen(
            self._joined([*words, "env", "-i", f"--chdir={HOME}", *values, *argv]),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": search_path()},
        )

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the user's login there."""
        lines = (self.disk / "etc" / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _joined(self, argv: list[str]) -> list[str]:
        """Return the command that runs another one as part of the machine's cgroup."""
        return ["sh", "-c", 'echo 0 >"$0"/cgroup.procs && exec "$@"', str(self._cgroup), *argv]

    def cut(self) -> None:
        """Pull its network cable; see `Machine`."""
        self.cable.cut()

    def heal(self) -> None:
        """Put the cable back."""
        self.cable.heal()

    def drop_port(self, port: int) -> None:
        """Swallow all packets from and to a TCP port; see `Machine`."""
        self._nft(firewall.drop_port(port))

    def pass_port(self) -> None:
        """Swallow nothing any more."""
        self._nft(firewall.PASS_ALL)

    def _nft(self, rules: str) -> None:
        check(["nsenter", f"--target={self._pid}", "--net", "--", "nft", rules])

    def freeze(self) -> None:
        """Stop every process at one instant; see `Machine`."""
        (self._cgroup / "cgroup.freeze").write_text("1")

        def frozen() -> bool:
            return "frozen 1" in (self._cgroup / "cgroup.events").read_text()

        wait_for(frozen, 10, f"{self.name} to freeze")

    def thaw(self) -> None:
        """Let them go on."""
        (self._cgroup / "cgroup.freeze").write_text("0")
