"""Whether somebody holds a lock that the kernel lets go of when its holder dies (flock(2))."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_locked(lock_file: Path) -> bool:
    """Tell whether some process holds a lock file; raises OSError if it cannot be looked at."""
    try:
        lock = os.open(lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at once do not take each other for the holder.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
