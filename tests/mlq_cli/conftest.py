"""Fixtures of the tests of the command."""

from collections.abc import Iterator

import pytest
from far_lab import FarLab, new_far_lab
from sandbox import Sandbox, new_sandbox


@pytest.fixture
def installation() -> Iterator[Sandbox]:
    """An installation of its own; its server is started on demand and always stopped."""
    with new_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def lab() -> Iterator[FarLab]:
    """A lab without machines; the test adds them."""
    with new_far_lab() as lab:
        yield lab
