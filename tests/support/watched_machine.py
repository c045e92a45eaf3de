"""A machine of a lab whose supervisor sees the desk of another: its devices, consoles and logins.

The machine's processes have mounts of their own: over /proc/bus/input, /proc/interrupts, /sys, /dev
and /run lies a recorded tree (`recorded_desk`), whose counters the test moves. So nothing of mlq
knows that it is tested. Over /proc/stat and /proc/loadavg lies a moment in which nobody computes:
what else this box does keeps no job waiting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ci import require
from disks import may_mount
from local_lab import Lab, Machine
from passthrough import __file__ as passthrough
from recorded_desk import RecordedDesk, overwrite
from waiting import wait_for

from mlq_worker.ipc import procfs

T = TypeVar("T")

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
_FOLDERS = {"dev": ("pts", "shm"), "sys": ("fs", "devices/system", "class/net", "kernel")}
_FILES = ("proc/bus/input/devices", "proc/interrupts", "proc/stat", "proc/loadavg")
SOMEBODY = 54_321
"""A user at the desk; no account has this number."""


class WatchedMachine:
    """A machine with a desk.

    Args:
        lab: where it stands.
        name: its name.
        recorded: whose devices it has: a name in `desks/`.
        flags: of `mlq worker start`.
        environ: variables of its worker: settings.
        is_calm: whether nobody but mlq seems to compute.
        mounts: more commands of the shell that mount what only this machine sees.
    """

    def __init__(
        self,
        lab: Lab,
        name: str,
        recorded: str = "desktop",
        *,
        flags: tuple[str, ...] = (),
        environ: dict[str, str] | None = None,
        is_calm: bool = True,
        mounts: str = "",
    ) -> None:
        require(may_mount(), "the right to mount file systems (root)")
        self.lab, self.name = lab, name
        self.desk = RecordedDesk(lab.folder / f"desk-of-{name}", recorded)
        self.desk.seat()
        self.desk.show_console(1)
        for file in ("stat", "loadavg"):
            (self.desk.root / "proc" / file).write_bytes(Path("/proc", file).read_bytes())
        self.environ = {"MLQ_GUEST": "polite", **(environ or {})}
        flags = flags or ("--cores", "2", "--gpus", "none")
        self.machine = Machine(
            lab, name, flags, environ=self.environ, mounts=self._mounts(is_calm=is_calm) + mounts
        )

    def _mounts(self, *, is_calm: bool) -> str:
        """Return the shell's commands that lay the tree over this box's own."""
        root, lines = self.desk.root, []
        for where, names in _FOLDERS.items():
            for name in names:
                if Path("/", where, name).exists():
                    (root / where / name).mkdir(parents=True, exist_ok=True)
                    lines.append(f"mount --rbind /{where}/{name} {root}/{where}/{name}")
        for name in _DEVICES:
            (root / "dev" / name).touch()
            lines.append(f"mount --bind /dev/{name} {root}/dev/{name}")
        (root / "dev/fd").symlink_to("/proc/self/fd")
        files = _FILES if is_calm else _FILES[:2]
        lines += [f"mount --rbind {root}/{name} /{name}" for name in ("sys", "dev", "run")]
        lines.append(f"mount --bind {root}/proc/bus/input /proc/bus/input")
        lines += [f"mount --bind {root}/{name} /{name}" for name in files[1:]]
        return "; ".join(lines) + "; "

    def start(self, **settings: str) -> None:
        """Start its worker, or another one with other settings in its place."""
        self.machine.environ.update(settings)
        self.machine.start()

    def restart(self, **settings: str) -> None:
        """Have another worker with these settings, and the same supervisor."""
        self.machine.stop()
        self.start(**settings)

    def press_key(self) -> None:
        """Let somebody press a key of the keyboard."""
        self.desk.transfer("1-3", 2)

    def type_until(self, condition: Callable[[], T | None], what: str) -> T:
        """Let somebody type until a condition holds: what moves at first is nobody's hands."""
        return wait_for(lambda: (self.press_key(), condition())[1], what=what)

    def compute_until(self, cores: int, condition: Callable[[], T | None], what: str) -> T:
        """Let others keep so many cores busy until a condition holds."""
        path, ticks = self.desk.root / "proc/stat", os.sysconf("SC_CLK_TCK")
        began, text = time.monotonic(), path.read_text()

        def computed() -> T | None:
            spent = int(ticks * (time.monotonic() - began))
            overwrite(path, _busier(text, cores, spent))
            return condition()

        return wait_for(computed, what=what)

    def processes(self, *jobs: str, attempt: int = 1) -> list[int]:
        """Return the processes of jobs that live, without their keepers; also without a queue."""
        words = Path(f"/proc/{self.machine.pid('supervisor')}/cmdline").read_text().split("\0")
        prefix = next(one for one in words if one.startswith("--mark-prefix="))[14:]
        keepers = {f"{prefix}{job}.{attempt}".encode() for job in jobs}
        found = []
        for one in procfs.look().values():
            with suppress(OSError):  # it has ended meanwhile
                is_of_them = procfs.mark_of(one.pid).encode() in keepers
                shown = set(Path(f"/proc/{one.pid}/cmdline").read_bytes().split(b"\0"))
                if is_of_them and one.state not in "ZX" and not keepers & shown:
                    found.append(one.pid)
        return found

    def sit_down(self) -> None:
        """Let somebody log in at the desk."""
        self.desk.seat("7", SOMEBODY)

    def note(self) -> str:
        """Return the note of `mlq machines` on it."""
        shown: str = self.lab.shown(self.name)["note"]
        return shown

    def log(self) -> str:
        """Return what its supervisor wrote."""
        return (self.machine.runtime / "supervisor.log").read_text()

    def seen(self, job_id: str) -> dict[str, Any]:
        """Return what `mlq show --json` says of a job."""
        (found,) = json.loads(self.lab.sandbox.ok("show", job_id, "--json"))
        return dict(found)


def _busier(stat: str, cores: int, ticks: int) -> str:
    """Return /proc/stat with so much more time of users on each of the first cores."""
    lines = stat.splitlines()
    for at, line in enumerate(lines):
        name, *times = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and cores > 0:
            cores -= 1
            lines[at] = " ".join([name, str(int(times[0]) + ticks), *times[1:]])
    return "\n".join(lines) + "\n"


@contextmanager
def nfs(lab: Lab) -> Iterator[NfsRoot]:
    """Have the lab's results root also as a file system that can hang; see `NfsRoot.mounts`."""
    require(Path("/dev/fuse").exists() and may_mount(), "FUSE, and the right to mount (root)")
    mounted = NfsRoot(lab.folder / "root", lab.folder / "nfs")
    try:
        yield mounted
    finally:
        mounted.end()


class NfsRoot:
    """A results root that can hang, for machines that have it over the real one.

    Args:
        source: the folder behind.
        mount: where it is, for all.
    """

    def __init__(self, source: Path, mount: Path) -> None:
        mount.mkdir()
        self.mount = mount
        self.mounts = f"mount --bind {mount} {source}; "
        words = [sys.executable, passthrough, str(source), str(mount), "0", "0.5", "0.5"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._acknowledged()

    def set(self, mode: str) -> None:
        """Let all operations go this way from now on: `ok`, `hang`."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"mode": mode, "delay_s": 0.0}).encode() + b"\n")
        self._process.stdin.flush()
        self._acknowledged()

    def end(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "--lazy", str(self.mount)], check=True)
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _acknowledged(self) -> None:
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ok\n", "the file system has ended"
