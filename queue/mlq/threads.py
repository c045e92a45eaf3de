"""Threads for what may hang, on a machine that may have no room for one more.

A user may have only so many processes and threads (`TasksMax` of systemd, `ulimit -u`), and a job
that forks without end takes all of them. Python then says "can't start new thread". Invariant: who
asks here goes on without the thread, and may ask again later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


def start_thread(run: Callable[[], object], name: str) -> threading.Thread | None:
    """Start a thread that the end of the program does not wait for.

    Returns:
        The thread; None if there is no room for one more.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def run_at_most(longest_s: float, run: Callable[[], object], name: str) -> None:
    """Run something in a thread and wait for so long; then, or without room for it, go on.

    For what reads NFS: even the end of the program must not wait for it.
    """
    thread = start_thread(run, name)
    if thread is not None:
        thread.join(longest_s)
