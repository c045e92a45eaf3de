"""What an ordinary user of a machine must be shown of this box: this clone, its Python.

A clone may lie in a home that is closed to others (/root, 0700), or in a folder that a machine has
of its own (/home, /tmp). Such paths are shown in the machines by bind mounts, read as they are.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

# Not shared with the box: every machine has its own.
OWN = ("home", "proc", "root", "run", "spool", "tmp", "vol")
CLONE = Path(__file__).resolve().parents[2]


@cache
def hidden_paths() -> tuple[str, ...]:
    """Return the paths to show, each after the closed folders above it, `closed:` before those."""
    shown: list[str] = []
    python = Path(os.path.realpath(sys.executable)).parents[1]
    for path in dict.fromkeys((CLONE, Path(sys.prefix), Path(sys.base_prefix), python)):
        if any(path.is_relative_to(one) for one in shown if not one.startswith("closed:")):
            continue
        closed = _closed_above(path)
        if closed is None and path.parts[1] not in OWN:
            continue
        if closed is not None and closed.parts[1] not in OWN and f"closed:{closed}" not in shown:
            shown.append(f"closed:{closed}")
        shown.append(str(path))
    return tuple(sorted(shown, key=lambda one: not one.startswith("closed:")))


def _closed_above(path: Path) -> Path | None:
    """Return the topmost folder on the way that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
