"""How `mlq enqueue --search` reads curves from a results root that is not mounted here."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.api.queue import Queue
from mlq.settings.load import load
from mlq.store.store import Store
from mlq_cli import searching
from mlq_cli.root_files import FilesHere


def queue_at(root: Path) -> Queue:
    settings = load({"HOME": str(root), "MLQ_ROOT": str(root)}).settings
    return Queue(Store(None), settings)  # type: ignore[arg-type]  # the queue is not asked


def test_curves_come_over_ssh_if_the_root_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b"0123456789")
    monkeypatch.setattr(searching, "is_elsewhere", lambda _: True)
    monkeypatch.setattr(searching, "root_files", lambda settings: FilesHere(settings.root))
    read = searching.reader_of(queue_at(tmp_path))
    assert read is not None
    assert read(str(file)) == b"0123456789"
    assert read(str(tmp_path / "none")) is None
    monkeypatch.setattr(searching, "CURVE_BYTES", 4)
    assert read(str(file)) == b"6789"


def test_they_are_read_here_if_it_is(tmp_path: Path) -> None:
    assert searching.reader_of(queue_at(tmp_path)) is None
