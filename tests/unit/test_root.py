"""A results root belongs to one queue, and remembers how far its jobs were numbered."""

import stat
from pathlib import Path

import pytest

from mlq.errors import StorageError, UnsafePathError
from mlq.layout import Layout
from mlq.root import claim_root, largest_number


def test_a_root_belongs_to_the_queue_that_came_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    claim_root(layout, "q1")
    claim_root(layout, "q1")
    assert layout.root.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StorageError, match="another queue: it says q1, this queue is q2"):
        claim_root(layout, "q2")


def test_a_damaged_or_newer_root_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    claim_root(layout, "q1")
    layout.queue_file.write_text('{"queue": "q1", "format": 99}')
    with pytest.raises(StorageError, match="newer mlq"):
        claim_root(layout, "q1")
    layout.queue_file.write_text("[]")
    with pytest.raises(StorageError, match="damaged"):
        claim_root(layout, "q1")


def test_a_root_that_is_a_file_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        claim_root(Layout(tmp_path / "root"), "q1")


def test_a_restored_queue_counts_on_above_what_lies_in_the_root(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    claim_root(layout, "q1")
    assert largest_number(layout) == 0
    for name in ("7", "1042", "notes"):
        (layout.jobs_dir / name).mkdir()
    assert largest_number(layout) == 1042


def test_a_root_that_others_can_use_is_refused_and_not_repaired(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    claim_root(layout, "q1")
    for mode in (0o755, 0o770, 0o777):
        layout.root.chmod(mode)
        with pytest.raises(UnsafePathError, match="chmod 700"):
            claim_root(layout, "q1")
        assert stat.S_IMODE(layout.root.stat().st_mode) == mode
    layout.root.chmod(0o700)
    (tmp_path / "link").symlink_to(layout.root)  # a volume may have a short name
    claim_root(Layout(tmp_path / "link"), "q1")
