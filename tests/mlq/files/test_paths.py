"""Private folders, sockets and secrets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ci import require

from mlq.errors import InvalidInputError, SettingsError, UnsafePathError, UnsafeSocketError
from mlq.files.paths import (
    LONGEST_SOCKET_PATH,
    SecretMissingError,
    check_socket_folder,
    check_socket_path,
    machine_dir,
    private_dir,
    read_secret,
    write_secret,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_private_folder_is_made_0700_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = private_dir(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    # Its new parents too: who can write to one of them can put another folder in its place.
    assert (mode(made), mode(made.parent)) == (0o700, 0o700)
    assert private_dir(made, create=False) == made


def test_a_missing_folder_is_named_if_it_must_not_be_made(tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError, match="No such file"):
        private_dir(tmp_path / "a", create=False)


@pytest.mark.parametrize("open_mode", [0o750, 0o701, 0o777])
def test_a_folder_open_to_others_is_refused_and_not_repaired(
    tmp_path: Path, open_mode: int
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(open_mode)
    with pytest.raises(UnsafePathError, match="chmod 700"):
        private_dir(tmp_path / "a")
    assert mode(tmp_path / "a") == open_mode


def test_nobody_is_told_to_close_a_folder_that_is_meant_for_everybody(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with pytest.raises(UnsafePathError, match="point that elsewhere") as caught:
        private_dir(tmp_path / "tmp")
    assert "chmod" not in str(caught.value)


def test_a_link_to_a_private_folder_is_refused(tmp_path: Path) -> None:
    real = private_dir(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("link", "dangling"):
        with pytest.raises(UnsafePathError, match="symbolic link"):
            private_dir(tmp_path / name)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UnsafePathError, match="it is a file"):
        private_dir(tmp_path / "a")
    with pytest.raises(UnsafePathError, match="Not a directory"):
        private_dir(tmp_path / "a" / "b")


@pytest.mark.root
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    require(os.geteuid() == 0, "root, to give a folder away")
    private_dir(tmp_path / "a")
    os.chown(tmp_path / "a", 12345, -1)
    with pytest.raises(UnsafePathError, match="belongs to user 12345"):
        private_dir(tmp_path / "a")
    write_secret(tmp_path / "key", b"x")
    os.chown(tmp_path / "key", 12345, -1)
    with pytest.raises(UnsafePathError, match="belongs to user 12345"):
        read_secret(tmp_path / "key")


def test_the_folder_of_a_machine_is_private_on_the_whole_way(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    made = machine_dir(runtime, "gpu07.lab")
    assert made == runtime / "m" / "gpu07.lab"
    assert [mode(path) for path in (runtime, runtime / "m", made)] == [0o700] * 3
    (runtime / "m").chmod(0o755)
    with pytest.raises(UnsafePathError):
        machine_dir(runtime, "gpu07.lab")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "x" * 65, "a\n"])
def test_a_machine_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError):
        machine_dir(tmp_path / "run", name)


def test_a_socket_path_is_measured_in_bytes() -> None:
    fits = Path("/" + "a" * (LONGEST_SOCKET_PATH - 1))
    assert check_socket_path(fits) == fits
    for long in ("/" + "a" * LONGEST_SOCKET_PATH, "/" + "é" * 60):
        with pytest.raises(SettingsError, match="too long"):
            check_socket_path(Path(long))


def test_a_socket_in_a_folder_open_to_others_may_be_anybodys(tmp_path: Path) -> None:
    folder = private_dir(tmp_path / "run")
    check_socket_folder(folder / "redis.sock")
    check_socket_folder(tmp_path / "missing" / "redis.sock")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UnsafeSocketError, match="symbolic link"):
        check_socket_folder(tmp_path / "link" / "redis.sock")
    folder.chmod(0o711)
    with pytest.raises(UnsafeSocketError, match="chmod 700"):
        check_socket_folder(folder / "redis.sock")


def test_a_secret_is_written_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "config" / "key"
    before = os.umask(0)
    try:
        write_secret(path, b"one")
    finally:
        os.umask(before)
    assert (mode(path), read_secret(path)) == (0o600, b"one")
    assert [mode(folder) for folder in (path.parent, path.parent.parent)] == [0o700] * 2
    with pytest.raises(FileExistsError):
        write_secret(path, b"two")
    assert read_secret(path) == b"one"
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_a_secret_that_is_not_there_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(SecretMissingError, match="mlq server start"):
        read_secret(tmp_path / "key")


def test_a_secret_open_to_others_or_behind_a_link_is_refused(tmp_path: Path) -> None:
    write_secret(tmp_path / "key", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(UnsafePathError, match="symbolic link"):
        read_secret(tmp_path / "link")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(UnsafePathError, match="chmod 600"):
        read_secret(tmp_path / "key")


def test_a_pipe_or_folder_in_the_place_of_a_secret_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", private_dir(tmp_path / "folder")):
        with pytest.raises(UnsafePathError, match="cannot read"):
            read_secret(path)


def test_a_secret_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnsafePathError, match="cannot write"):
        write_secret(tmp_path / "file" / "key", b"x")
