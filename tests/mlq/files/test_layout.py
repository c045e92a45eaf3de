"""The results root: where things lie, and reading and writing them whole."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from mlq.errors import InvalidInputError
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.strict_files import Absent, Content, read_file

AT = Layout(Path("/root"))


def test_where_everything_lies() -> None:
    found = {
        AT.queue_file: "queue.json",
        AT.secrets_dir: "secrets",
        AT.beat_file("gpu07.lab"): "workers/gpu07.lab.beat",
        AT.job_file("1042"): "jobs/1042/job.json",
        AT.job_file("1042_7"): "jobs/1042/7/job.json",
        AT.log_file("1042", 2): "jobs/1042/attempts/2/output.log",
        AT.result_file("1042_7", 1): "jobs/1042/7/attempts/1/result.json",
        AT.progress_file("1042", 1): "jobs/1042/attempts/1/progress.jsonl",
        AT.return_file("1042", 1): "jobs/1042/attempts/1/return.json",
        AT.checkpoint_dir("1042"): "jobs/1042/checkpoint",
        AT.output_dir("1042"): "jobs/1042/output",
        AT.code_dir: "code",
        AT.job_dir("a_b-c"): "jobs/a_b-c",
    }
    assert {str(path) for path in found} == {f"/root/{end}" for end in found.values()}


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "../x", "1042/../..", "a.b", "a\n", "x" * 201])
def test_no_id_leads_out_of_the_root(job_id: str) -> None:
    with pytest.raises(InvalidInputError):
        AT.job_dir(job_id)


def test_no_machine_leads_out_of_the_root() -> None:
    with pytest.raises(InvalidInputError):
        AT.beat_file("../x")


def test_a_written_file_is_private_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_the_old_content_or_the_new_never_a_part(tmp_path: Path) -> None:
    path, contents = tmp_path / "beat", [b"a" * 200_000, b"b" * 100_000]
    write_atomically(path, contents[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for content in contents:
                write_atomically(path, content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {read_file(tmp_path, path, 1 << 20) for _ in range(300)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {Content(one) for one in contents}


def test_a_failed_write_keeps_the_old_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "beat"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_is_never_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def asked(name: Any, *args: Any, **options: Any) -> int:
        if name == "result.json":
            raise AssertionError(f"asked for {name}")
        return really(name, *args, **options)

    monkeypatch.setattr(os, "open", asked)
    assert read_file(tmp_path, tmp_path / "result.json", 9) == Absent()
    assert read_file(tmp_path, tmp_path / "attempts" / "result.json", 9) == Absent()


def test_folders_are_made_private_and_existing_ones_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    before = os.umask(0)
    try:
        make_private_dirs(tmp_path / "a" / "b" / "c")
        make_private_dirs(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / end).stat().st_mode) for end in ("a", "a/b", "a/b/c")]
    assert modes == [0o755, 0o700, 0o700]


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(OSError, match="exists"):
        make_private_dirs(tmp_path / "a")


def test_a_folder_that_takes_no_folders_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        make_private_dirs(Path("/proc/mlq/below"))
