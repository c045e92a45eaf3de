"""The background worker's log: small for ever, and nothing that is said is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlq.files.layout import last_line
from mlq_worker.service import log as worker_log
from mlq_worker.service.log import log_to


@pytest.fixture
def stderr_kept() -> Iterator[None]:
    kept = os.dup(2)
    yield
    os.dup2(kept, 2)
    os.close(kept)


@pytest.mark.usefixtures("stderr_kept")
def test_the_log_rotates_and_takes_standard_error_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_log, "_MAX_BYTES", 2000)
    log = tmp_path / "worker.log"
    with log_to(log):
        for number in range(200):
            logging.getLogger("mlq_worker").info("turn %d", number)
        os.write(2, b"Segmentation fault\n")
    assert {path.name for path in tmp_path.iterdir()} == {
        "worker.log",
        "worker.log.1",
        "worker.log.2",
    }
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * 2000 + 100
    assert last_line(log, 0) == "Segmentation fault"


def test_the_last_line_is_of_this_run_only(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    assert last_line(log, 0) == ""
    log.write_text("old\n")
    assert last_line(log, 4) == ""
    with log.open("a") as file:
        file.write("new \n\n")
    assert last_line(log, 4) == "new"


def test_long_and_broken_text_is_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_bytes(b"\xff" * 100_000 + b"\nthe end")
    assert last_line(log, 0) == "the end"
