"""Fixtures of the tests of other machines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from far_lab import FarLab, new_far_lab


@pytest.fixture
def lab() -> Iterator[FarLab]:
    """A lab without machines; the test adds them."""
    with new_far_lab() as lab:
        yield lab
