"""Puts a version of mlq into the results root; the machine that deploys runs it from its input.

It uses the standard library only and no module of ours: there is no mlq there yet. Each version has
its own folder and virtual environment, and the link `current` is replaced in one step once these
work. So a process that runs another version goes on undisturbed, and an interrupted attempt does no
harm.

Its input is this text, then the wheel. It prints one JSON object on each line: {"say": …} for
progress, and last {"done": …} or {"error": [what, why, what to do]}.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

KEPT_S = 30 * 86400.0
NEEDED_MIB = 150

COMPLETE = ".complete"
RETIRED = ".retired"

_FULL = ("No space left on device", "Disk quota exceeded")


class DeployError(Exception):
    """What happened, why, and what to do."""


def deploy(root: Path, label: str, wheel_name: str, data: BinaryIO) -> dict[str, object]:
    """Install the wheel and make it the version in use.

    Args:
        root: the results root; made if it is missing and its parent exists.
        label: the name of this version.
        wheel_name: the file name of the wheel.
        data: the wheel, to its end.

    Raises:
        DeployError: the deployment failed; the version in use stays.
        OSError: likewise.
    """
    wheel = data.read()
    if not root.parent.is_dir():
        raise DeployError(
            f"there is no {root.parent}", "so the results root cannot be made", "is it mounted?"
        )
    software = root / "software"
    for folder in (root, software):
        folder.mkdir(mode=0o700, exist_ok=True)
    _check_ours_alone(root)
    lock = software / ".deploying"
    try:
        lock.mkdir(mode=0o700)
    except FileExistsError:
        raise DeployError(
            "another deploy is under way",
            f"there is {lock}",
            f"wait for it; if it was interrupted: rmdir {lock}",
        ) from None
    try:
        built = _build(software, label, wheel_name, wheel)
        before = _switch(software, label)
        dropped = _drop_old(software, keep={label, before})
    finally:
        lock.rmdir()
    return {"version": label, "before": before, "built": built, "dropped": dropped}


def _check_ours_alone(root: Path) -> None:
    # Machines run what lies below: a user who can write here can run code as us.
    found = root.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise DeployError(
            f"the results root {root} is open to others",
            f"it belongs to user {found.st_uid}, its mode is {found.st_mode & 0o7777:04o}",
            f"if no other user has used it: chmod 700 {root}",
        )


def _build(software: Path, label: str, wheel_name: str, wheel: bytes) -> bool:
    """Make the environment of a version; return False if it exists already."""
    target = software / label
    if (target / COMPLETE).exists():
        return False
    if target.exists():
        shutil.rmtree(target)  # the rest of an interrupted attempt
    free_mib = shutil.disk_usage(software).free // 2**20
    if free_mib < NEEDED_MIB:
        raise DeployError(
            f"the disk of {software} is full",
            f"{free_mib} MiB are free, and mlq takes about {NEEDED_MIB}",
            "make room there",
        )
    try:
        say(f"making {target} with Python {sys.version.split()[0]}")
        _run([sys.executable, "-I", "-m", "venv", str(target)], _without_venv)
        file = target / wheel_name
        file.write_bytes(wheel)
        pip = [str(target / "bin" / "python"), "-m", "pip", "install"]
        # Home folders are small, so pip must not keep a cache there.
        quiet = ["--no-input", "--disable-pip-version-check", "--no-cache-dir"]
        _run([*pip, *quiet, str(file)], _without_packages)
        file.unlink()
        _run([str(target / "bin" / "mlq"), "--version"], _without_mlq)
        (target / COMPLETE).touch()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return True


def _switch(software: Path, label: str) -> str:
    """Make a version the one in use; return the previous one, "" if there was none."""
    link = software / "current"
    before = str(link.readlink()) if link.is_symlink() else ""
    (software / label / RETIRED).unlink(missing_ok=True)
    if before == label:
        retired = [one.parent for one in software.glob(f"*/{RETIRED}")]
        newest = max(retired, key=lambda one: (one / RETIRED).stat().st_mtime, default=None)
        return newest.name if newest else ""
    draft = software / f".current.{os.getpid()}"
    draft.symlink_to(label)
    draft.replace(link)
    if (software / before / COMPLETE).exists():
        (software / before / RETIRED).touch()
    return before


def _drop_old(software: Path, keep: set[str]) -> list[str]:
    # Supervisors that hold week-long jobs still run from their version.
    dropped = []
    for mark in software.glob(f"*/{RETIRED}"):
        version = mark.parent
        if version.name not in keep and time.time() - mark.stat().st_mtime > KEPT_S:
            shutil.rmtree(version)
            dropped.append(version.name)
    return dropped


def _run(argv: list[str], explain: Callable[[str], DeployError]) -> None:
    """Run a command and print its lines; `explain` turns the decisive line into an error."""
    lines: list[str] = []
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    ) as process:
        for line in process.stdout or ():
            lines.append(line.strip())
            say(line.strip())
    if process.returncode == 0:
        return
    text = "\n".join(lines)
    full = next((one for one in _FULL if one in text), "")
    if full:
        raise DeployError("the disk there is full", full, "make room in the results root and /tmp")
    errors = [one for one in lines if "error" in one.lower()] or [one for one in lines if one]
    raise explain(errors[-1] if errors else f"exit {process.returncode}")


def _without_venv(why: str) -> DeployError:
    return DeployError(
        f"{sys.executable} cannot make virtual environments",
        why,
        "Debian's package python3-venv has what it lacks; without root, name another Python: "
        "`mlq deploy --python PATH`",
    )


def _without_packages(why: str) -> DeployError:
    return DeployError(
        "pip cannot install what mlq needs",
        why,
        "does that machine reach PyPI? If it has a mirror, its pip.conf must name it; another "
        "machine will do as well: `mlq deploy --on HOST`",
    )


def _without_mlq(why: str) -> DeployError:
    return DeployError("the mlq that was installed does not run there", why, "")


def say(text: str) -> None:
    """Report progress."""
    tell({"say": text})


def tell(message: dict[str, object]) -> None:
    """Print one message."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(root: str, label: str, wheel_name: str) -> int:
    """Deploy; return the exit code."""
    os.umask(0o077)
    try:
        tell({"done": deploy(Path(root), label, wheel_name, sys.stdin.buffer)})
    except DeployError as error:
        tell({"error": list(error.args)})
        return 1
    except OSError as error:
        fix = "make room there" if error.strerror in _FULL else "is the results root yours?"
        tell({"error": [f"cannot use {error.filename}", error.strerror or str(error), fix]})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
