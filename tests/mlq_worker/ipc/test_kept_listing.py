"""A folder's listing is kept only while nothing in it can have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlq_worker.ipc.kept_listing import KeptListing

OLD_S, NOW_S = 1_000_000.0, 1_000_060.0


class Reader:
    """Lists, and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count, self.utc_s = folder, 0, NOW_S
        self.kept = KeptListing(os.fspath(folder), self.read, lambda: self.utc_s)

    def read(self, folder: str) -> list[str]:
        self.count += 1
        return sorted(one.name for one in Path(folder).iterdir())

    def changed(self, at: float) -> None:
        """Say when the folder changed last."""
        os.utime(self.folder, (at, at))


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    (tmp_path / "one").touch()
    reader = Reader(tmp_path)
    reader.changed(OLD_S)
    return reader


def test_it_is_listed_once_while_nothing_changes(reader: Reader) -> None:
    assert reader.kept.look() == reader.kept.look() == ["one"]
    assert reader.count == 1


def test_what_comes_and_goes_is_seen(reader: Reader) -> None:
    reader.kept.look()
    (reader.folder / "two").touch()
    assert reader.kept.look() == ["one", "two"]
    (reader.folder / "one").unlink()
    assert reader.kept.look() == ["two"]


def test_a_folder_that_changed_a_moment_ago_is_listed_again(reader: Reader) -> None:
    reader.changed(NOW_S - 0.05)
    reader.kept.look()
    (reader.folder / "two").touch()  # within the same tick of the clock of files
    reader.changed(NOW_S - 0.05)
    assert reader.kept.look() == ["one", "two"]


def test_another_folder_of_that_name_is_another(reader: Reader, tmp_path: Path) -> None:
    reader.kept.look()
    reader.folder.rename(tmp_path.parent / "away")
    tmp_path.mkdir()
    reader.changed(OLD_S)
    assert reader.kept.look() == []


def test_a_folder_that_is_gone_is_an_error(reader: Reader) -> None:
    reader.kept.look()
    reader.folder.rename(reader.folder.with_name("gone"))
    with pytest.raises(FileNotFoundError):
        reader.kept.look()


def test_a_clock_that_was_set_back_lists_again(reader: Reader) -> None:
    reader.utc_s = OLD_S - 3600
    reader.kept.look()
    reader.kept.look()
    assert reader.count == 2
