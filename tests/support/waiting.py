"""Waiting for what a test expects, with a deadline instead of a nap."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


def wait_for(
    condition: Callable[[], T | None], timeout_s: float = 60, what: str = "the condition"
) -> T:
    """Call until the answer is truthy and return it.

    Raises:
        AssertionError: it was not after `timeout_s`; the message shows the last answer.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline_s:
            raise AssertionError(f"waited {timeout_s:g} s for {what}; last answer: {answer!r}")
        time.sleep(POLL_S)
