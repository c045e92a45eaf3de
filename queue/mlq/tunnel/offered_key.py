"""Which key a host offers that `ssh` refused: it tells that only when asked to be talkative."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TIMEOUT_S = 30.0


def ask_for_key(argv: Sequence[str], environ: Mapping[str, str], folder: Path | None = None) -> str:
    """Return type and fingerprint of the key that a host offers, "" if that cannot be found out.

    Args:
        argv: the connection that was refused, tried again with `-v`.
        environ: of ssh.
        folder: where to run it; by default here.
    """
    try:
        said = subprocess.run(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            start_new_session=True,
            check=False,
        ).stderr
    except subprocess.TimeoutExpired:
        return ""
    keys = re.findall(r"Server host key: (\S+ SHA256:\S+)", said)
    return keys[-1] if keys else ""
