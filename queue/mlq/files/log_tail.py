"""What a log of ours says last: for the user who asks why a process of ours ended."""

from __future__ import annotations

from pathlib import Path

_TAIL_BYTES = 4096


def last_line(path: Path, since: int = 0) -> str:
    """Return the last line of a log that says anything; "" if there is none.

    Args:
        path: the log.
        since: its size when what is of interest began.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(since, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
