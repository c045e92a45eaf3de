"""Fixtures of the attacks: a copy of mlq that everybody may run, a lab, an installation."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from everybodys_mlq import copy_mlq
from local_lab import PATIENT, Lab, new_lab
from people import need_root
from sandbox import Sandbox, new_sandbox


@pytest.fixture(scope="session")
def everybodys_mlq() -> Iterator[Path]:
    """An `mlq` that every user may run, wherever the clone lies."""
    need_root()
    folder = Path(tempfile.mkdtemp(prefix="mlq-copy-"))
    try:
        yield copy_mlq(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab for the attacks of one file; nothing of it is left afterwards."""
    with new_lab(**PATIENT) as lab:
        yield lab


@pytest.fixture
def installation() -> Iterator[Sandbox]:
    """An installation of its own; its server is started on demand and always stopped."""
    with new_sandbox() as sandbox:
        yield sandbox
