"""Files are read whole, and only if they changed."""

import hashlib
import os
from pathlib import Path

import pytest
from git_projects import write

from mlq.code import reading
from mlq.code.memory import RACY_NS, Known
from mlq.code.reading import look_at, read_files, read_whole
from mlq.errors import StorageError

LATER_NS = 1 << 62


def later() -> int:
    return LATER_NS


def test_what_is_remembered_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "one", "b.sh": "two"})
    (tmp_path / "b.sh").chmod(0o755)
    stats = look_at(str(tmp_path), ["a.py", "b.sh", "gone"])
    first = read_files(str(tmp_path), stats, {}, later)
    assert first.contents == {"a.py": b"one", "b.sh": b"two"}
    assert [(one.path, one.mode) for one in first.files] == [("a.py", 0o644), ("b.sh", 0o755)]
    second = read_files(str(tmp_path), stats, first.known, later)
    assert second == (first.files, {}, first.known)


def test_a_change_of_size_or_time_is_seen(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "one"})
    known = read_files(str(tmp_path), look_at(str(tmp_path), ["a.py"]), {}, later).known
    write(tmp_path, {"a.py": "two"})
    os.utime(tmp_path / "a.py", ns=(5, 5))
    again = read_files(str(tmp_path), look_at(str(tmp_path), ["a.py"]), known, later)
    assert again.files[0].sha256 == hashlib.sha256(b"two").hexdigest()


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "one"})
    stats = look_at(str(tmp_path), ["a.py"])
    just = max(stats["a.py"].st_mtime_ns, stats["a.py"].st_ctime_ns)
    assert not read_files(str(tmp_path), stats, {}, lambda: just + RACY_NS // 2).known
    assert read_files(str(tmp_path), stats, {}, lambda: just + RACY_NS).known


def test_a_file_that_changes_meanwhile_is_read_again_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"log.txt": "x"})
    real, changes = os.read, [b"1", b"2"]

    def read_while_written(descriptor: int, length: int) -> bytes:
        found = real(descriptor, length)
        if changes and found:
            with (tmp_path / "log.txt").open("ab") as file:
                file.write(changes.pop())
        return found

    monkeypatch.setattr(reading.os, "read", read_while_written)
    assert read_whole(str(tmp_path), "log.txt")[0] == b"x21"
    changes += [b"n"] * 9
    with pytest.raises(StorageError, match=r"log.txt changes while it is read, 3 times"):
        read_whole(str(tmp_path), "log.txt")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="folder cannot be read") as caught:
        read_whole(str(tmp_path), "folder")
    assert ".mlqignore" in caught.value.fix


def test_known_files_are_told_apart_by_their_number(tmp_path: Path) -> None:
    write(tmp_path, {"a": "x", "b": "x"})
    one, other = ((tmp_path / name).stat() for name in "ab")
    assert Known.of(one, "s").fits(one)
    assert not Known.of(one, "s").fits(other)
