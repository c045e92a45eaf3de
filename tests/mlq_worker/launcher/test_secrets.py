"""What the launcher takes for a job's secret: a private file of ours, reached over no link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlq.files.layout import Layout
from mlq_worker.launcher.secrets import SecretError, read_secrets


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.secrets_dir.mkdir(mode=0o700)
    return layout


def put(layout: Layout, name: str, value: bytes, mode: int = 0o600) -> Path:
    path = layout.secrets_dir / name
    path.write_bytes(value)
    path.chmod(mode)
    return path


def test_values_are_read_whole(layout: Layout) -> None:
    put(layout, "A-1", "ü\n".encode())
    put(layout, "B-1", b"x" * 100_000)
    found = read_secrets(layout, {"A": "A-1", "B": "B-1"})
    assert found == {"A": "ü\n", "B": "x" * 100_000}
    assert read_secrets(Layout(Path("/nowhere")), {}) == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_a_file_that_others_can_reach_is_refused(layout: Layout, mode: int) -> None:
    put(layout, "A-1", b"v", mode)
    with pytest.raises(SecretError, match="secret A cannot be read: it is open to others"):
        read_secrets(layout, {"A": "A-1"})


@pytest.mark.parametrize("value", [b"", b"\xff", b"a\0b", b"x" * 200_000])
def test_what_no_process_can_be_given_is_refused(layout: Layout, value: bytes) -> None:
    put(layout, "A-1", value)
    with pytest.raises(SecretError, match="it is damaged"):
        read_secrets(layout, {"A": "A-1"})


def test_no_link_pipe_folder_or_path_is_followed(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"v")
    (tmp_path / "key").chmod(0o600)
    (layout.secrets_dir / "link").symlink_to(tmp_path / "key")
    os.mkfifo(layout.secrets_dir / "pipe", 0o600)
    (layout.secrets_dir / "folder").mkdir(mode=0o700)
    for file, why in {
        "link": "it is a symbolic link",
        "pipe": "it is not a file",
        "folder": "it is not a file",
        "../key": "there is no such file",
        "gone": "there is no such file",
    }.items():
        with pytest.raises(SecretError, match=why):
            read_secrets(layout, {"A": file})


def test_a_fault_of_the_disk_is_no_fault_of_the_job(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(layout, "A-1", b"v")

    def stale(*_: object) -> bytes:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr("mlq_worker.launcher.secrets.os.read", stale)
    with pytest.raises(OSError, match="Stale file handle") as caught:
        read_secrets(layout, {"A": "A-1"})
    assert caught.value.filename == str(layout.secrets_dir)
