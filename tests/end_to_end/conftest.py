"""Fixtures of the tests of the whole system."""

from collections.abc import Iterator

import pytest
from installing import install
from local_lab import Lab, new_lab

__all__ = ["install", "lab"]


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab of its own for the test, with the file's `SETTINGS`; nothing of it is left."""
    with new_lab(**getattr(request.module, "SETTINGS", {})) as lab:
        yield lab
