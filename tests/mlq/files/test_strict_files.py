"""Reading below the results root: nothing that lies there hangs, follows, swells or escapes."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from people import Person

from mlq.files import strict_files
from mlq.files.strict_files import Absent, Content, Found, Refused, Unreadable, open_file, read_file

MOST = 1000


def read(root: Path, path: Path, *, tail: bool = False) -> Found:
    return read_file(root, path, MOST, tail=tail)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "jobs" / "7" / "attempts" / "1"
    folder.mkdir(parents=True)
    return folder / "result.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def test_a_file_is_read_whole_and_a_missing_one_or_folder_is_absent(root: Path, path: Path) -> None:
    assert read(root, path) == Absent()
    path.write_bytes(b"x" * MOST)
    assert read(root, path) == Content(b"x" * MOST)
    assert read(root, root / "jobs" / "8" / "attempts" / "1" / "result.json") == Absent()
    assert read(root.parent / "no", root.parent / "no" / "queue.json") == Absent()


def test_the_root_itself_may_be_a_link_and_hold_the_file(root: Path, path: Path) -> None:
    (root / "queue.json").write_bytes(b"{}")
    link = root.with_name("link")
    link.symlink_to(root)
    assert read(link, link / "queue.json") == Content(b"{}")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_a_file(path: Path) -> None:
    path.with_name("other").write_bytes(b"{}")
    path.symlink_to("other")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        before = Path.cwd()
        os.chdir(path.parent)  # the path may be too long for a socket
        try:
            one.bind(path.name)
        finally:
            os.chdir(before)


def a_large_one(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def another_users(path: Path) -> None:
    path.write_bytes(b"{}")
    Person("somebody", 20_000, 20_000).own(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_folder, "is a folder"),
        (a_pipe, "is a named pipe"),
        (a_link, "is a symbolic link"),
        (a_link_to_a_file, "is a symbolic link"),
        (a_socket, "is a socket"),
        (a_large_one, "is larger than 1000 bytes"),
        pytest.param(
            another_users,
            "belongs to user 20000",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away"),
        ),
    ],
)
def test_what_is_no_file_of_ours_is_refused(
    root: Path, path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(path)
    assert read(root, path) == Refused(why)


@pytest.mark.parametrize("make", [a_pipe, a_link, a_socket])
@pytest.mark.parametrize("depth", range(4))
def test_no_folder_on_the_way_leads_elsewhere(
    root: Path, path: Path, make: Callable[[Path], None], depth: int
) -> None:
    path.write_bytes(b"{}")
    folder = (path.parent, *path.parent.parents)[depth]
    folder.rename(root.parent / "moved")
    make(folder)
    assert isinstance(read(root, path), Refused)
    if make is a_link:
        folder.unlink()
        folder.symlink_to(root.parent / "moved")
        assert read(root, path) == Refused("is a symbolic link")


@pytest.mark.parametrize("relative", ["../elsewhere", ".", "jobs/../../elsewhere", ""])
def test_nothing_outside_of_the_root_is_read(root: Path, path: Path, relative: str) -> None:
    (root.parent / "elsewhere").write_bytes(b"{}")
    assert read(root, root / relative) == Refused("is not below the results root")


def test_the_end_of_a_long_file_can_be_read_alone(root: Path, path: Path) -> None:
    path.write_bytes(b"a" * MOST + b"b" * MOST)
    assert read(root, path, tail=True) == Content(b"b" * MOST)
    path.write_bytes(b"b")
    assert read(root, path, tail=True) == Content(b"b")


def test_a_storage_that_fails_is_no_evidence_and_one_that_stumbles_is_asked_again(
    root: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"{}")
    really = os.open
    faults = [errno.ESTALE, errno.ENOENT, errno.ESTALE]

    def fails(name: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if name == "result.json" and faults:
            raise OSError(faults.pop(0), "it stumbles")
        return really(name, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", fails)
    assert read(root, path) == Content(b"{}")
    for number in (errno.EIO, errno.ETIMEDOUT, errno.EACCES, errno.EAGAIN, errno.ESTALE):
        faults[:] = [number] * 4
        assert read(root, path) == Unreadable("it stumbles")


@pytest.mark.skipif(os.geteuid() != 0, reason="has to become somebody else")
@pytest.mark.parametrize("depth", range(4))
def test_what_a_user_closed_is_refused_unless_the_whole_share_may_have_gone_strange(
    root: Path, path: Path, depth: int
) -> None:
    path.write_bytes(b"{}")
    closed = (path, *path.parents)[depth]
    closed.chmod(0)
    for folder in root.parent.parents:
        if folder.name.startswith("pytest-of"):
            folder.chmod(0o711)
            break
        folder.chmod(0o711)
    for one in (root.parent, *root.parent.rglob("*")):
        os.chown(one, 20_000, 20_000)
    os.seteuid(20_000)
    try:
        assert read(root, path) == Refused("is closed to its own user (mode 0000)")
    finally:
        os.seteuid(0)
    os.chown(closed, 0, 0)
    os.seteuid(20_000)
    try:
        assert read(root, path) == Refused("belongs to user 0")
    finally:
        os.seteuid(0)
    # As on a share that takes all of us for somebody else: that may pass.
    os.chown(root, 0, 0)
    root.chmod(0o755)
    os.seteuid(20_000)
    try:
        assert isinstance(read(root, path), Unreadable)
    finally:
        os.seteuid(0)
        closed.chmod(stat.S_IRWXU)


def test_a_folder_too_full_to_be_listed_is_not(
    root: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict_files, "_LISTED_MOST", 3)
    for number in range(20):
        path.with_name(f"{number}").touch()
    assert read(root, path) == Absent()
    path.write_bytes(b"{}")
    assert read(root, path) == Content(b"{}")


def test_no_descriptor_is_left_open(root: Path, path: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for make in (a_folder, a_pipe, a_link, a_large_one):
        make(path)
        read(root, path)
        path.rmdir() if path.is_dir() else path.unlink()
    read(root, path)
    path.write_bytes(b"{}")
    opened = open_file(root, path)
    assert isinstance(opened, int)
    os.close(opened)
    assert count() == before
