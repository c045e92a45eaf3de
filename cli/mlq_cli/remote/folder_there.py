"""Checks, when a job is enqueued from another host, that the queue's host has the job's folder.

No machine of the lab has a folder of a laptop's own disk, and the job would fail hours later. The
tunnel is already connected, so the check costs one round trip, and for a folder that exists only
once in 10 minutes. It gives only a warning: other machines may have the folder, or get it.
"""

from __future__ import annotations

import hashlib
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from mlq.files.layout import write_atomically
from mlq.settings.settings import Settings
from mlq_cli.remote.far_shell import master_folder
from mlq_cli.remote.ssh import Ssh, line_of

_ASK_S = 5.0
_FRESH_S = 600.0
_MISSING = 97


def missing_there(settings: Settings, folder: str) -> str:
    """Return a warning if the queue's host has no such folder; "" if it has, or cannot be asked."""
    if not settings.is_remote or (master := master_folder(settings)) is None:
        return ""
    seen = master / f"seen-{hashlib.sha256(folder.encode()).hexdigest()[:16]}"
    with suppress(OSError):
        if time.time() - seen.stat().st_mtime < _FRESH_S:
            return ""
    if (code := _asked(settings, master, folder)) == _MISSING:
        return (
            f"warning: {settings.queue_host} has no folder {folder}; machines without it cannot run"
            " the job: put the code where the machines see it, and enqueue with --cwd"
        )
    if code == 0:
        with suppress(OSError):
            write_atomically(seen, b"", flush=False)
    return ""


def _asked(settings: Settings, master: Path, folder: str) -> int | None:
    ssh = Ssh(settings)
    words = ["sh", "-c", f'[ -d "$1" ] || exit {_MISSING}', "sh", folder]
    try:
        return subprocess.run(
            [*ssh.argv(settings.queue_host, "-S", "./ctl"), line_of(words)],
            cwd=master,
            env=ssh.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_ASK_S,
            start_new_session=True,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return None
