"""A folder in which all users meet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder like /tmp, which other users reach, too."""
    folder = Path(tempfile.mkdtemp(prefix="mlq-everybodys-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)
