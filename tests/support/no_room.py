"""A machine on which no thread can be started, for this process: really, for the C library."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TOO_LARGE = 1 << 46  # no machine maps a stack of 64 TiB


@contextmanager
def no_room_for_threads() -> Iterator[None]:
    """Have each start of a thread fail as it does where a job has taken all of them."""
    before = threading.stack_size(_TOO_LARGE)
    try:
        yield
    finally:
        threading.stack_size(before)
