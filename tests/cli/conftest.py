"""Fixtures of the tests of the command."""

from collections.abc import Iterator

import pytest
from sandbox import Sandbox, new_sandbox


@pytest.fixture
def installation() -> Iterator[Sandbox]:
    """An installation of its own; its server is started on demand and always stopped."""
    with new_sandbox() as sandbox:
        yield sandbox
