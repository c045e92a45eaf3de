"""A machine of the lab that boots for real: Debian with systemd as its first process.

It is a container of systemd-nspawn inside the lab's box, so systemd, logind, the user's systemd,
sshd, PAM and cron are the real ones and start as they do on a desktop, and a reboot is one: asked
for from inside, with a shutdown before it and a new boot id after it. What it has not of a real
machine is a kernel of its own.

A command there is typed by ssh from the laptop, so it has a login session that ends with it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from box import check, children_of
from campus import TICKER, Campus
from debian_tree import MLQ, put_mlq
from machine import SPOOL, UID, USER, NamespaceMachine
from share import Share
from ssh_world import make_key
from waiting import wait_for

TOOLS = ("systemd-nspawn", "mmdebstrap")
_BOOT = Path(__file__).with_name("booted.sh")


class BootedMachine(NamespaceMachine):
    """See `machine.Machine`.

    Args:
        campus: the lab whose queue and laptop it knows.
        name: its host name.
        number: the last part of its address.
        tree: the Debian it boots.
    """

    def __init__(self, campus: Campus, name: str, number: int, tree: Path) -> None:
        self._campus, self._tree = campus, tree
        share = Share(campus.box, campus.layout.root.parent, name, UID)
        super().__init__(campus.box, name, number, share.mount)
        for folder in ("changed", "work"):
            (self.disk / folder).mkdir()
        put_mlq(self.disk / "changed")
        self._join()

    def _join(self) -> None:
        """Make the machine known to the lab's others, and give its user what they have."""
        make_key(self.disk / "etc" / "host_key")
        known = f"{self.name} {(self.disk / 'etc' / 'host_key.pub').read_text()}"
        for other in self._campus._all:
            for path, line in (
                (other.disk / "etc" / "hosts", f"{self.address} {self.name}\n"),
                (other.disk / "home" / ".ssh" / "known_hosts", known),
            ):
                with path.open("a") as file:
                    file.write(line)
        self._campus._all.append(self)
        self._campus.machines[self.name] = self
        self._campus._furnish(self)
        self._campus._hand_over_secrets(self)
        shutil.copy(TICKER, self._box.folder / "spool")
        self._campus.ticker = ["/usr/bin/python3", "-S", "-E", str(SPOOL / TICKER.name)]

    # --- power ----------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Boot it; see `Machine`. Returns when its sshd listens."""
        words = [self.name, self.disk, self._tree, self._share, self._box.folder / "spool", USER]
        self._switch_on(
            self._box.inside(*("unshare", "--mount", "--net", "bash", str(_BOOT), *map(str, words)))
        )
        self.cable.plug_in(wait_for(self._find_shell, what="the shell that boots it"))
        self.until_up()

    def _find_shell(self) -> int:
        self._fail_if_dead()
        for pid in children_of(self._outer.pid) if self._outer else []:
            with suppress(OSError):
                if _network(pid) != _network(self._box.pid):
                    return pid
        return 0

    def until_up(self) -> None:
        """Wait until a machine that boots would let the user in; nobody logs in for that."""
        before = self._pid

        def booted() -> bool:
            self._fail_if_dead()
            first = self._find_first()
            if not first or first == before:
                return False
            return _listens(first, 22) and not Path(f"/proc/{first}/root/run/nologin").exists()

        wait_for(booted, 60, f"{self.name} to be up")
        self._pid = self._find_first()

    def reboot(self) -> None:
        """Have root reboot it, and wait until it is up again."""
        self.admin("systemctl", "reboot")
        self.until_up()

    def power_off(self) -> None:
        """Cut its power; see `Machine`."""
        assert self._outer
        self.cable.unplug()
        (self._cgroup / "cgroup.kill").write_text("1")
        self.thaw()  # what is frozen does not even die
        self._outer.wait(60)
        for folder in _tree(self._cgroup)[:-1]:
            wait_for(partial(_removed, folder), 10, f"the cgroup {folder} to be empty")
        self._pid = 0

    @property
    def boot_id(self) -> str:
        """Which boot this is."""
        return self.seen("/proc/sys/kernel/random/boot_id").read_text().strip()

    # --- what is done there ---------------------------------------------------------------------

    def start(
        self, *argv: str, stdout: Any = None, stderr: Any = None, **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a command there as the user, in a login session of its own."""
        words = ["env", *(f"{key}={value}" for key, value in environ.items()), *argv]
        ssh = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", self.name]
        return self._campus.laptop.start(
            *ssh, shlex.join(words if environ else argv), stdout=stdout, stderr=stderr
        )

    def mlq(self, *words: str) -> str:
        """Type `mlq` there, make sure that all went well, and return what it printed."""
        done = self.run(str(MLQ), *words)
        assert done.code == 0, done
        return done.out

    def admin(self, *argv: str) -> str:
        """Run a command there as root and return its output."""
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/"]
        return check(["nsenter", f"--target={self._pid}", *spaces, "--", *argv])

    def processes(self) -> dict[int, str]:
        """Return its processes, as counted outside, and their command lines."""
        found = {}
        for folder in _tree(self._cgroup):
            for pid in _pids(folder):
                with suppress(OSError):
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    found[int(pid)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found


def _tree(cgroup: Path) -> list[Path]:
    """Return a cgroup and all below it, itself last; systemd removes some while they are listed."""
    return [Path(at) for at, _, _ in os.walk(cgroup, topdown=False)]


def _pids(cgroup: Path) -> list[str]:
    try:
        return (cgroup / "cgroup.procs").read_text().split()
    except OSError:
        return []  # it was removed meanwhile


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup; tell whether its last process was gone for that."""
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _listens(pid: int, port: int) -> bool:
    """Tell whether somebody listens on a TCP port, in the network of a process."""
    with suppress(OSError):
        listening = f":{port:04X} 00000000:0000 0A "  # proc(5), /proc/net/tcp
        return listening in Path(f"/proc/{pid}/net/tcp").read_text()
    return False
