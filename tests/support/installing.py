"""New installations whose server a test starts itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis_server import installation
from server_programs import only

from mlq.server import control as server
from mlq.settings.load import load
from mlq.settings.settings import Settings

Install = Callable[[], Settings]


@pytest.fixture
def install(server_program: Path | None) -> Iterator[Install]:
    """Returns the settings of a new installation each time; whatever it started is ended."""
    with ExitStack() as stack:
        stack.enter_context(only(server_program))

        def make() -> Settings:
            # Socket paths are limited: pytest's own temporary folders are too deep.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlq-")))
            settings = load(installation(folder)).settings
            stack.callback(server.stop, settings)
            return settings

        yield make
