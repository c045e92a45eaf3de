"""A virtual machine: boots, is talked to by ssh, is touched at its desk, and is switched off.

It is emulated without KVM, so it runs in any container, and is several times slower than this
machine. Its network is QEMU's own and leads nowhere: only its port for ssh can be reached, from the
loopback. What it writes goes into a file that is deleted with it.
"""

from __future__ import annotations

import compileall
import shlex
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Literal, NamedTuple

from debian_tree import PYTHON, put_mlq
from waiting import wait_for

from desk.image import Image
from desk.monitor import Monitor

Inputs = Literal["usb", "ps2"]

MEMORY_MIB = 2048
BOOT_TIMEOUT_S = 300
_USB = ("-device", "qemu-xhci", "-device", "usb-kbd,id=keyboard", "-device", "usb-mouse,id=mouse")
_OPTIONS = (
    *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"),
    *("BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=20"),
)


class Done(NamedTuple):
    """A command that has ended there."""

    code: int
    out: str
    err: str


class Vm:
    """A virtual machine that runs; see `boot`.

    Args:
        image: what it boots from.
        inputs: its keyboard and mouse: on USB, or on the old controller (i8042) of PS/2.
    """

    def __init__(self, image: Image, inputs: Inputs) -> None:
        self.inputs = inputs
        self._image = image
        self._held = ExitStack()
        self._folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="desk-")))
        self._port = _free_port()
        try:
            self._qemu = self._start()
            self._held.callback(self._end)
            self.hands = self._connected()
            self._held.callback(self.hands.close)
        except BaseException:
            self._held.close()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        disk = self._folder / "disk.qcow2"
        new = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", self._image.disk]
        subprocess.run([*new, disk], check=True)
        forwarded = f"hostfwd=tcp:127.0.0.1:{self._port}-:22"
        return subprocess.Popen(
            [
                # It ends with the tests, also if these are killed.
                *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"),
                *("-accel", "tcg,thread=multi", "-smp", "2"),
                *("-m", str(MEMORY_MIB), "-nodefaults", "-display", "none", "-vga", "std"),
                *("-machine", f"pc,i8042={'on' if self.inputs == 'ps2' else 'off'}"),
                *(_USB if self.inputs == "usb" else ()),
                *("-kernel", self._image.kernel, "-initrd", self._image.initrd),
                *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
                *("-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe"),
                *("-netdev", f"user,id=net,restrict=on,{forwarded}"),
                *("-device", "virtio-net-pci,netdev=net"),
                *("-serial", f"file:{self.console_file}"),
                *("-qmp", f"unix:{self._folder / 'qmp'},server=on,wait=off"),
            ],
            stdin=subprocess.DEVNULL,
        )

    def _end(self) -> None:
        self._qemu.kill()
        self._qemu.wait()

    def _connected(self) -> Monitor:
        def connected() -> Monitor | None:
            assert self._qemu.poll() is None, "QEMU ended at once: see its message above"
            with suppress(OSError):
                return Monitor(self._folder / "qmp")
            return None

        return wait_for(connected, 30, "QEMU's monitor")

    # --- power ----------------------------------------------------------------------------------

    @property
    def console_file(self) -> Path:
        """What its kernel and systemd said on the serial line."""
        return self._folder / "console"

    def until_up(self) -> None:
        """Wait until it would let somebody in and all its services have started."""
        wait_for(lambda: self.try_run(["true"]).code == 0, BOOT_TIMEOUT_S, "sshd to answer")
        self.run(["systemctl", "is-system-running", "--wait"])

    def reboot(self) -> None:
        """Shut it down and start it anew, as its administrators do."""
        before = self._boot_id()
        self.try_run(["systemctl", "reboot"])
        self._disconnect()
        wait_for(lambda: self._boot_id() not in ("", before), BOOT_TIMEOUT_S, "another boot")
        self.until_up()

    def switch_off(self) -> None:
        """Pull its plug and forget its disk."""
        self._disconnect()
        self._held.close()

    def _boot_id(self) -> str:
        return self.try_run(["cat", "/proc/sys/kernel/random/boot_id"]).out.strip()

    def _disconnect(self) -> None:
        for master in self._folder.glob("ssh-*"):
            leave = ["ssh", "-o", f"ControlPath={master}", "-O", "exit", "there"]
            subprocess.run(leave, capture_output=True, check=False)

    # --- what is done there ---------------------------------------------------------------------

    def argv(self, argv: Sequence[str], user: str = "root", *, shared: bool = True) -> list[str]:
        """Return the command line that runs a command there.

        Args:
            argv: the command there.
            user: as whom.
            shared: on one connection for all commands of the user; otherwise in a login session of
                its own, that ends with the command.
        """
        options = [word for one in _OPTIONS for word in ("-o", one)]
        if shared:
            path = self._folder / f"ssh-{user}"
            options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={path}"]
            options += ["-o", "ControlPersist=yes"]
        where = ["-i", str(self._image.key), "-p", str(self._port), f"{user}@127.0.0.1"]
        return ["ssh", *options, *where, shlex.join(argv)]

    def try_run(self, argv: Sequence[str], user: str = "root", stdin: str | None = None) -> Done:
        """Run a command there and return how it ended."""
        done = subprocess.run(
            self.argv(argv, user), input=stdin or "", capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, argv: Sequence[str], user: str = "root", stdin: str | None = None) -> str:
        """Run a command there, make sure that all went well, and return what it printed."""
        done = self.try_run(argv, user, stdin)
        assert done.code == 0, (argv, done)
        return done.out

    def shell(self, script: str, user: str = "root") -> str:
        """Run a script there with bash; see `run`."""
        return self.run(["bash", "--norc", "-euc", script], user)

    def python(self, script: str, *words: str, user: str = "root") -> str:
        """Run a Python script there, which reads `words` from `sys.argv`; see `run`."""
        return self.run(["python3", "-", *words], user, script)

    def start(
        self, argv: Sequence[str], user: str = "root", **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command there; its output comes through pipes."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(self.argv(argv, user), text=True, **{**pipes, **options})

    def put_mlq(self) -> None:
        """Install this clone's mlq there, compiled here if this Python is that of the machine."""
        with tempfile.TemporaryDirectory() as folder:
            put_mlq(Path(folder))
            if "{}.{}".format(*sys.version_info) == PYTHON:
                compileall.compile_dir(
                    *(folder, 20), quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
                )
            packed = Path(folder) / "mlq.tar"
            with tarfile.open(packed, "w") as tar:
                tar.add(Path(folder) / "opt", "opt", filter=_of_root)
            with packed.open("rb") as file:
                subprocess.run(self.argv(["tar", "-xC", "/"]), stdin=file, check=True)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
