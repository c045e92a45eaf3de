"""A word about what takes long, while pytest holds back what tests print."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

Say = Callable[[str], None]


def saying(config: pytest.Config) -> Say:
    """Return a function that shows a line at once; it may be called from any thread.

    Args:
        config: of this test session.
    """
    capture = config.pluginmanager.getplugin("capturemanager")
    one_at_a_time = threading.Lock()

    def say(line: str) -> None:
        with one_at_a_time, capture.global_and_fixture_disabled():
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - for the terminal

    return say
