"""One line in the log for what a person may have to understand later."""

from __future__ import annotations

import sys

from mlq_worker.ipc.clock import utc_now


def note(text: str) -> None:
    """Write a line with the time of day to standard error, which is the log."""
    sys.stderr.write(f"{utc_now()} {text}\n")
    sys.stderr.flush()
