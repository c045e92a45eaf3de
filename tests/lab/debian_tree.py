"""A small Debian for the machines of the lab that boot for real: systemd, sshd, cron, Python, mlq.

It is built once, from Debian's mirror and PyPI, into `.lab/` of the clone, and never changed:
each machine lays a disk of its own over it. What it is built from names the folder, so a change
here or of mlq's dependencies makes a new one. mlq itself is no part of it: see `put_mlq`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from box import search_path
from machine import UID, USER
from saying import Say
from visibility import CLONE

CACHE = CLONE / ".lab"
PREFIX = Path("/opt/mlq")  # the virtual environment of mlq there
MLQ = PREFIX / "bin" / "mlq"
PYTHON = "3.11"  # of this Debian

SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "openssh-client"),
    *("cron", "python3", "iproute2", "procps", "redis-server"),
)
SMALLER = [
    f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")
]
# What would only cost time: nobody sits at the console, and no package is ever upgraded.
_MASKED = (
    *("console-getty.service", "getty@tty1.service", "apt-daily.timer", "apt-daily-upgrade.timer"),
    *("dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "systemd-resolved.service"),
    "redis-server.service",
)
# Wheels for that Python and its C library, whatever Python runs the tests.
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (36, 34, 31, 28, 27, 24, 17, 12, 5)]
_LAUNCH = f"#!{PREFIX}/bin/python\nfrom mlq_cli.main import script\nscript()\n"


def debian_tree(say: Say) -> Path:
    """Return the tree, built first if it is not there yet: about a minute.

    Args:
        say: is told how far the building has come.

    Raises:
        CalledProcessError: a tool failed; `say` has been told its last words.
    """
    dependencies = what_mlq_needs()
    recipe = (SUITE, _PACKAGES, _MASKED, _LAUNCH, USER, UID, sorted(dependencies))

    def build(new: Path) -> None:
        say("building a Debian, once: about a minute")
        _build(new, dependencies, say)

    return built_once("debian", recipe, build)


def built_once(kind: str, recipe: object, build: Callable[[Path], None]) -> Path:
    """Return the folder that was built by this recipe; build it first if it is not there yet.

    Args:
        kind: the start of the folder's name.
        recipe: all that it is made of; its `repr` names the folder.
        build: makes the folder that it is given. No other test session builds at the same time.
    """
    folder = CACHE / f"{kind}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            build(new)
            new.rename(folder)
    return folder


def what_mlq_needs() -> list[str]:
    """Return the packages that mlq depends on, as pip wants them."""
    project = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]
    # pip reads markers as for the Python it runs on; redis wants this one before 3.11.3.
    return [*project["dependencies"], "async-timeout"]


def _build(tree: Path, dependencies: list[str], say: Say) -> None:
    hooks = [
        f"useradd --root=$1 --uid={UID} --user-group --create-home --shell=/bin/bash {USER}",
        f"systemctl --root=$1 --quiet mask {' '.join(_MASKED)}",
        "rm -f $1/etc/resolv.conf",
    ]
    told(
        [
            *("mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", *SMALLER),
            *(f"--customize-hook={hook}" for hook in hooks),
            *(SUITE, str(tree), MIRROR),
        ],
        say,
    )
    put_dependencies(tree, dependencies, say)


def put_dependencies(tree: Path, dependencies: Sequence[str], say: Say) -> None:
    """Put into a tree a virtual environment with all that mlq needs, but without mlq.

    Args:
        tree: a Debian with a Python.
        dependencies: as `what_mlq_needs` returns them.
        say: is told how far it has come.
    """
    say("installing what mlq depends on")
    packages = tree / _packages().relative_to("/")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={packages}"]
    for_there = [f"--python-version={PYTHON}", "--implementation=cp", "--only-binary=:all:"]
    platforms = [f"--platform={one}" for one in _PLATFORMS]
    told([*pip, "--no-compile", *for_there, *platforms, *dependencies], say)
    prefix = tree / PREFIX.relative_to("/")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(f"/usr/bin/python{PYTHON}")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (prefix / "bin" / "mlq").write_text(_LAUNCH)
    (prefix / "bin" / "mlq").chmod(0o755)
    told(["chroot", str(tree), str(MLQ.with_name("python")), "-m", "compileall", "-q", PREFIX], say)


def _packages() -> Path:
    return PREFIX / "lib" / f"python{PYTHON}" / "site-packages"


def told(argv: list[str | Path], say: Say) -> None:
    """Run a command and pass on what it says."""
    environ = {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
    ) as process:
        for line in process.stdout or ():
            if not line.startswith("WARNING:"):
                say(line.rstrip())
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)


def put_mlq(disk: Path) -> None:
    """Put this clone's mlq into a machine's disk, laid out as its wheel lays it out.

    Args:
        disk: the folder laid over the tree.
    """
    target = disk / _packages().relative_to("/")
    for source, name in (
        ("queue/mlq", "mlq"),
        ("worker/mlq_worker", "mlq_worker"),
        ("cli/mlq_cli", "mlq_cli"),
        ("systemd", "mlq_worker/service/units"),
    ):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CLONE / source, target / name, ignore=ignored)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
