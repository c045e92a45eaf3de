"""Fixtures of the tests of the whole system."""

from collections.abc import Iterator

import pytest
from local_lab import Lab, new_lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab of its own for the test; nothing of it is left afterwards."""
    with new_lab() as lab:
        yield lab
