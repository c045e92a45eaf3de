"""The walls of a lab in a box: outer namespaces in which everything of one run lives.

Everything that a run starts or mounts is inside one PID namespace, one mount namespace and network
namespaces that only their processes hold. The first process of the PID namespace dies with this
test process, whatever ends that, even `kill -9`; the kernel then kills all the others and takes
mounts, interfaces and FUSE away. So nothing has to be cleaned up in order. What is left is a folder
and some empty cgroups; `remove_leftovers` takes away those of dead runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ci import require
from waiting import wait_for

TOOLS = ("unshare", "nsenter", "setpriv", "pivot_root", "ip", "nft", "mount", "sshd", "cron")
_SBIN = "/usr/sbin:/sbin:/usr/local/sbin"
_NAME = re.compile(r"mlq-lab-(\d+)-(\d+)-\w+")
# The cgroups are made through the box's own mount, so that the machine's is left alone.
_SCRIPT = """
mount -t cgroup2 cgroup2 "$1/cgroup"
mkdir "$1/cgroup/$2"
ip link add br0 type bridge
ip link set br0 up
echo ready
while :; do sleep 1000 & wait $!; done
"""


class Box:
    """One run's outer namespaces: `pid` is their first process, `folder` their disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        (folder / "cgroup").mkdir()
        namespaces = ["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"]
        script = ["bash", "-ec", _SCRIPT, "box", str(folder), self.name]
        self._outer = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, *script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": search_path()},
            start_new_session=True,  # Ctrl-C is for the tests, which then end it
        )
        assert self._outer.stdout
        assert self._outer.stdout.readline() == b"ready\n", "the box did not come up"
        self.pid = children_of(self._outer.pid)[0]

    def seen(self, path: Path) -> Path:
        """Return where a path inside the box, such as a mount, is seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def cgroup(self, name: str) -> Path:
        """Return the cgroup of this name, made if it is missing."""
        path = self.seen(self.folder / "cgroup" / self.name / name)
        path.mkdir(exist_ok=True)
        return path

    def inside(self, *argv: str) -> list[str]:
        """Return the command that runs another one inside the box."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--"]
        return [*enter, *argv]

    def ip(self, *words: str) -> None:
        """Run `ip` on the box's network."""
        argv = ["nsenter", f"--target={self.pid}", "--net", "--", "ip", *words]
        check(argv)

    def end(self) -> None:
        """Kill all that is inside and take the folder away."""
        self._outer.kill()
        self._outer.wait()
        # Killing the outer process kills the first one inside; that is gone when all others are.
        wait_for(lambda: not Path(f"/proc/{self.pid}").exists(), 60, "the box to be empty")
        _remove(self.folder)


def check(argv: list[str]) -> str:
    """Run a command of the box's making and return its output; a failure shows what it said."""
    environ = {**os.environ, "PATH": search_path()}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, f"{argv} failed: {done.stderr}"
    return done.stdout


def search_path() -> str:
    """Return $PATH with the folders that only root is used to have."""
    return f"{os.environ['PATH']}:{_SBIN}"


def children_of(pid: int) -> list[int]:
    """Return the children of a process; none if it is gone."""
    with suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def remove_leftovers() -> None:
    """Remove the folders and cgroups of runs whose test process is gone."""
    for folder in Path(tempfile.gettempdir()).glob("mlq-lab-*"):
        match = _NAME.fullmatch(folder.name)
        if match and _started(int(match[1])) != match[2]:
            _remove(folder)


def _remove(folder: Path) -> None:
    script = 'mount -t cgroup2 cgroup2 "$1"; find "$1/$2" -depth -type d -exec rmdir {} +'
    if (folder / "cgroup").is_dir():
        # In a mount namespace that ends with it. A cgroup is busy until its last process is reaped.
        argv = ["unshare", "--mount", "sh", "-c", script, "sh", folder / "cgroup", folder.name]
        until_s = time.monotonic() + 5
        while subprocess.run(argv, capture_output=True, check=False).returncode:
            if time.monotonic() > until_s:
                break
    shutil.rmtree(folder)


def _started(pid: int) -> str:
    """Return when a process started, in ticks since boot; "" if there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


@contextmanager
def new_box() -> Iterator[Box]:
    """Make a box, and take it away again with all that is inside; skip where that cannot be."""
    require(os.geteuid() == 0, "a lab in a box needs root")
    require(Path("/dev/fuse").exists(), "a lab in a box needs /dev/fuse")
    for tool in TOOLS:
        require(shutil.which(tool, path=search_path()), f"a lab in a box needs {tool}")
    remove_leftovers()
    prefix = f"mlq-lab-{os.getpid()}-{_started(os.getpid())}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    box = Box(folder)
    try:
        yield box
    finally:
        box.end()
