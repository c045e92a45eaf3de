"""Writing into the pulled folder: whole files only, nothing outside, nothing for others to read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from disks import small_disk
from people import strangers

from mlq.errors import MlqError, StorageError, UnsafePathError
from mlq_cli.pulling.below import NotPlacedError
from mlq_cli.pulling.placing import FullDiskError, Part, Place
from mlq_cli.pulling.planning import Item, Local
from mlq_cli.pulling.record import Known
from mlq_cli.remote.far_tree import Sending, digest_of
from mlq_cli.remote.far_walk import Listed


def _file(text: bytes, *, start: int = 0, mtime_ns: int = 7, is_program: bool = False) -> Sending:
    pieces = iter([text[at : at + 3] for at in range(start, len(text), 3)])
    return Sending(len(text), mtime_ns, is_program, start, pieces, lambda: True)


def _item(target: str, size: int = 0, local: Local | None = None) -> Item:
    return Item("6", Listed("a", size, 7, is_program=False), target, local)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Place(tmp_path / "to") as place:
        assert not place.read()
        place.open()
        yield place


def test_a_file_is_put_in_place_with_its_time_and_closed_to_others(place: Place) -> None:
    os.umask(0)
    try:
        place.put("f/output/a", _file(b"hello world"), None)
        place.put("f/output/b", _file(b"", is_program=True), None)
    finally:
        os.umask(0o022)
    a, b = place.folder / "f/output/a", place.folder / "f/output/b"
    assert (a.read_bytes(), a.stat().st_mtime_ns) == (b"hello world", 7)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (a, b, a.parent, place.folder)]
    assert modes == [0o600, 0o700, 0o700, 0o700]
    assert place.look("f/output/a") == Local("file", 11, 7)


def test_the_record_is_read_back_and_the_rest_tidied(place: Place) -> None:
    place.add_job("q 6", "f")
    for n in range(200):
        place.put("f/a", _file(b"abc", mtime_ns=n), place.look("f/a"))
    size = (place.folder / ".mlq-pull/record.jsonl").stat().st_size
    for tidied in (False, True):
        with Place(place.folder) as again:
            assert again.read() and again.is_pulled
            assert again.record.folders == {"q 6": "f"}
            assert again.record.files == {"f/a": (Known(3, 198, 198), Known(3, 199, 199))}
        if not tidied:
            place.tidy()
    assert (place.folder / ".mlq-pull/record.jsonl").stat().st_size < size / 20


def test_what_is_not_whole_is_no_file_and_goes_on_later(place: Place) -> None:
    def broken() -> Iterator[bytes]:
        yield b"hello"
        raise StorageError("the connection broke")

    with pytest.raises(StorageError, match="broke"):
        place.put("f/a", Sending(11, 7, False, 0, broken(), lambda: True), None)
    assert place.look("f/a") is None
    part = place.part(_item("f/a"))
    assert part.size == 5
    place.put("f/a", _file(b"hello world", start=5), None)
    assert (place.folder / "f/a").read_bytes() == b"hello world"
    assert place.part(_item("f/a")) == Part()


def test_of_a_file_that_has_grown_only_the_rest_is_fetched(place: Place) -> None:
    old = os.urandom(1 << 20)
    place.put("f/a", _file(old), None)
    local = place.look("f/a")
    part = place.part(_item("f/a", len(old) + 4, local))
    opened = os.open(place.folder / "f/a", os.O_RDONLY)
    assert part == Part(len(old), digest_of(opened, len(old)))
    os.close(opened)
    place.put("f/a", _file(old + b"more", start=len(old), mtime_ns=8), local)
    assert (place.folder / "f/a").read_bytes() == old + b"more"
    (place.folder / "f/a").write_bytes(old + b"mine")
    assert place.part(_item("f/a", len(old) + 9, place.look("f/a"))) == Part()


def test_what_was_left_of_another_content_is_overwritten(place: Place) -> None:
    with pytest.raises(NotPlacedError, match="shorter"):
        place.put("f/a", Sending(11, 7, False, 0, iter([b"longer than"[:8]]), lambda: True), None)
    place.put("f/a", _file(b"new"), None)
    assert (place.folder / "f/a").read_bytes() == b"new"


def test_what_was_changed_since_it_was_looked_at_stays(place: Place) -> None:
    (place.folder / "f").mkdir(mode=0o700)
    (place.folder / "f/a").write_bytes(b"mine")
    with pytest.raises(NotPlacedError, match="just been changed"):
        place.put("f/a", _file(b"theirs"), None)
    assert (place.folder / "f/a").read_bytes() == b"mine"


@pytest.mark.parametrize("mtime_ns", [-(1 << 62), 1 << 62, 1 << 90])
def test_impossible_times_and_names_cost_their_file_only(place: Place, mtime_ns: int) -> None:
    with suppress(NotPlacedError):
        place.put("f/a", _file(b"x", mtime_ns=mtime_ns), None)
    with pytest.raises(NotPlacedError):
        place.put("f/" + "n" * 300, _file(b"x"), None)
    place.put("f/b", _file(b"x"), None)
    assert (place.folder / "f/b").read_bytes() == b"x"


@pytest.mark.parametrize("where", ["f", "f/output"])
def test_nothing_is_written_through_a_link(place: Place, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    (outside / "output").mkdir(parents=True)
    link = place.folder / where
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(NotPlacedError, match="no folder"):
        place.put("f/output/a", _file(b"x"), None)
    assert place.look("f/output/a") == Local(f"in {where.rpartition('/')[2]}, which is no folder")
    assert [one for one in outside.rglob("*") if one.is_file()] == []


def test_a_link_is_replaced_itself(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (place.folder / "f").mkdir()
    (place.folder / "f/a").symlink_to(outside)
    place.put("f/a", _file(b"x"), place.look("f/a"))
    assert (outside.read_text(), (place.folder / "f/a").is_symlink()) == ("mine", False)


def test_two_pulls_at_once_are_refused(place: Place) -> None:
    with Place(place.folder) as other, pytest.raises(StorageError, match="another pull"):
        other.read()
        other.open()


@pytest.mark.root
def test_a_folder_of_another_user_is_refused(place: Place) -> None:
    ann, _ = strangers()
    (place.folder / "f").mkdir()
    ann.own(place.folder / "f")
    with pytest.raises(MlqError, match="another user"):
        place.put("f/a", _file(b"x"), None)
    own = place.folder.parent / "other" / ".mlq-pull"
    own.mkdir(parents=True)
    ann.own(own)
    with Place(own.parent) as other, pytest.raises(UnsafePathError):
        other.read()
        other.open()


@pytest.mark.root
def test_a_full_disk_keeps_what_is_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=256k"), Place(tmp_path / "to") as place:
        place.read()
        place.open()
        place.put("f/a", _file(b"a" * 60_000), None)
        with pytest.raises(FullDiskError, match="is full"):
            place.put("f/b", _file(b"b" * 300_000), None)
        assert place.look("f/b") is None
        assert (place.folder / "f/a").read_bytes() == b"a" * 60_000
        assert place.part(_item("f/b")).size
