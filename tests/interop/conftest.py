"""What the tests with programs made for Slurm share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_lab import new_lab
from slurm_user import SlurmUser


@pytest.fixture
def user() -> Iterator[SlurmUser]:
    """The user; the machine has four cores."""
    with new_lab(MLQ_STOP_GRACE_S="20") as lab:
        lab.machine("lab01", "--cores", "4")
        yield SlurmUser(lab)
