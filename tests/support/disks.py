"""Disks that are full or cannot be written, for this box's real file systems."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci import require


def may_mount() -> bool:
    """Tell whether this user may mount file systems."""
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return not subprocess.run(trial, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a tmpfs on a folder with these mount options."""
    require(may_mount(), "the right to mount file systems (root)")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Let nobody write in a folder; root is stopped by a read-only disk alone."""
    if os.geteuid() == 0:
        with small_disk(folder, "ro,mode=700"):
            yield
        return
    mode = folder.stat().st_mode
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(mode)
