"""Fixtures of the tests of supervisor and launcher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from supervising import Bench

from mlq_worker.liveness.fence import LivenessTimings


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A supervisor to be given orders, and its folders."""
    bench = Bench(tmp_path)
    yield bench
    bench.end()


@pytest.fixture
def fenced(tmp_path: Path) -> Iterator[Bench]:
    """One that pauses its jobs after a second without contact."""
    bench = Bench(tmp_path, LivenessTimings(0.2, 0.5, 1.0, 2.0))
    yield bench
    bench.end()
