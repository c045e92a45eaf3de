"""Which key a host offered that `ssh` refused, and whether ssh would remember an accepted key.

`ssh` prints the first only with `-v`. The second depends on the user's own configuration: many have
`UserKnownHostsFile /dev/null`, and then no answer is kept.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_NOWHERE = ("/dev/null", "none")
_TIMEOUT_S = 30.0


class Offered(NamedTuple):
    """A key that was refused.

    Args:
        key: its type and fingerprint; "" if unknown.
        is_kept: whether ssh writes a key that the user accepts to a file that lasts.
    """

    key: str
    is_kept: bool = True


def ask_for_key(
    argv: Sequence[str], environ: Mapping[str, str], folder: Path | None = None
) -> Offered:
    """Return the key that a host offers.

    Args:
        argv: the connection that was refused, tried again with `-v`.
        environ: of ssh.
        folder: where to run it; by default here.
    """
    keys = re.findall(r"Server host key: (\S+ SHA256:\S+)", _said(argv, environ, folder))
    program, *others = argv
    settled = _said([program, "-G", *others], environ, folder)
    files = re.search(r"^userknownhostsfile (\S+)", settled, re.MULTILINE | re.IGNORECASE)
    return Offered(keys[-1] if keys else "", not (files and files[1].lower() in _NOWHERE))


def _said(argv: Sequence[str], environ: Mapping[str, str], folder: Path | None) -> str:
    try:
        return subprocess.run(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            start_new_session=True,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        return ""
