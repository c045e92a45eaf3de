"""The last line of a job's log, for the reason of its failure (`exit 1: CUDA out of memory`).

It is read once, at the end of the attempt, in the launcher's thread that writes `result.json` and
that may hang in NFS; so the worker or the reaper that commits the end has it. Only the tail of
the log is read. The line goes into the queue and onto terminals: it is one printable line, bounded,
and the values of the job's secrets are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlq.files.layout import Layout
from mlq.files.root import LastLook, pinned
from mlq.files.strict_files import Content, read_file
from mlq_worker.ipc.values import LAST_LINE_CHARS, Result

_TAIL_BYTES = 4096
_SHORTEST_SECRET = 4  # a shorter one is in many a word, and easily guessed
_FAILED = frozenset({"exited", "signaled", "timeout"})
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)


def tells_last_line(result: Result) -> bool:
    """Return whether the reason of such an end is told together with the last line of the log."""
    return result.outcome in _FAILED and result.exit_code != 0


def read_last_line(
    result: Result, layout: Layout, hidden: Iterable[str], last_look: LastLook | None = None
) -> str:
    """Return the last line that an attempt wrote and that says anything; "" if there is none.

    Args:
        result: of the attempt.
        layout: where its log lies.
        hidden: what must not be in it.
        last_look: at the root.
    """
    try:
        with pinned(layout, last_look) as root:
            path = root.log_file(*result.attempt)
            read = read_file(root.root, path, _TAIL_BYTES, tail=True)
    except OSError:
        return ""
    return last_line(read.data, hidden) if isinstance(read, Content) else ""


def last_line(tail: bytes, hidden: Iterable[str] = ()) -> str:
    """Return the last line of the end of a log that says anything; "" if there is none.

    A progress bar is drawn over itself again and again: its last state counts.
    """
    text = _ESCAPES.sub("", tail.decode(errors="replace"))
    for line in reversed(text.splitlines()):
        shown = " ".join("".join(one if one.isprintable() else " " for one in line).split())
        if shown:
            return _bounded(_without(shown, hidden))
    return ""


def _without(line: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        for part in secret.splitlines():
            if len(part) >= _SHORTEST_SECRET:
                line = line.replace(" ".join(part.split()) or part, "***")
    return line


def _bounded(line: str) -> str:
    return line if len(line) <= LAST_LINE_CHARS else f"{line[: LAST_LINE_CHARS - 1]}…"
