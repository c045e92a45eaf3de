"""Fixtures of the tests of the whole system."""

from collections.abc import Iterator

import pytest
from installing import install
from local_lab import Lab, new_lab

__all__ = ["install", "lab"]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab of its own for the test; nothing of it is left afterwards."""
    with new_lab() as lab:
        yield lab
