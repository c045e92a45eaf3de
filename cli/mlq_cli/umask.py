"""Tells this process's umask: what mlq makes for its user outside the results root is ordinary."""

from __future__ import annotations

import os


def present_umask() -> int:
    """Return the umask. The kernel tells it only to who sets another, so no thread may run yet."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
