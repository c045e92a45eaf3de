"""The user's own files of a job's output follow its log."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import small_disk
from waiting import wait_for

from mlq_worker.launcher import streams
from mlq_worker.launcher.streams import MOST_S, PATIENCE_S, Followed, Stream, Target


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "output.log"
    path.touch()
    return path


def follow(log: Path, *targets: Target) -> Followed:
    made = Followed([Stream(str(log), targets)])
    made.start()
    return made


def notes(made: Followed, now_s: float = 0.0) -> tuple[str, ...]:
    return wait_for(lambda: _listed(made.ended(now_s)), 10)[0]


def _listed(found: tuple[str, ...] | None) -> list[tuple[str, ...]]:
    return [] if found is None else [found]


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_it_grows_while_the_job_runs_and_has_all_at_its_end(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("of an earlier attempt\n")
    made = follow(log, Target(str(file), appends=False))
    append(log, "one\n")
    wait_for(lambda: file.read_text() == "one\n", 10)
    append(log, "two")
    assert notes(made) == ()
    assert file.read_text() == "one\ntwo"


def test_it_goes_on_when_the_job_cuts_its_log_off(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "out"
    made = follow(log, Target(str(file), appends=True))
    append(log, "long text\n")
    wait_for(lambda: file.exists() and file.read_text() == "long text\n", 10)
    log.write_text("new\n")
    assert notes(made) == ()
    assert file.read_text() == "long text\nnew\n"


def test_its_folder_may_be_made_later(log: Path, tmp_path: Path) -> None:
    append(log, "x")
    target = Target(f"{tmp_path}/late/out", appends=False)
    made = follow(log, target)
    wait_for(lambda: target.trouble == "its folder is missing", 10)
    (tmp_path / "late").mkdir()
    wait_for((tmp_path / "late" / "out").exists, 10)
    assert notes(made) == ()
    assert (tmp_path / "late" / "out").read_text() == "x"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_a_new_file_is_as_its_user_makes_files(
    log: Path, tmp_path: Path, umask: int, mode: int
) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch(0o640)
    before = os.umask(0o077)  # the launcher's
    try:
        files = [Target(str(one), appends=False, umask=umask) for one in (new, old)]
        assert notes(follow(log, *files)) == ()
    finally:
        os.umask(before)
    assert [one.stat().st_mode & 0o777 for one in (new, old)] == [mode, 0o640]


def test_through_a_link_of_its_user_and_into_nothing(log: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to("far/file")
    append(log, "x")
    (tmp_path / "null").symlink_to("/dev/null")
    names = (tmp_path / "out", "/dev/null", tmp_path / "null")
    assert notes(follow(log, *(Target(str(one), appends=False) for one in names))) == ()
    assert (tmp_path / "far" / "file").read_text() == "x"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/dev/stdout", "it is no file"),
        ("/proc/self/fd/1", "it is no file"),
        ("/dev/../dev/tty", "it is no file"),
        ("/etc", "it is a folder"),
        ("/gone/out", "its folder is missing"),
        ("/etc/passwd/out", "its folder is missing"),
    ],
)
def test_what_is_no_file_is_said(log: Path, name: str, why: str) -> None:
    append(log, "x")
    (note,) = notes(follow(log, Target(name, appends=False)))
    assert note == f"output file {name} could not be written: {why}; the log has everything"


@pytest.mark.root
def test_a_full_disk_is_said_and_one_with_room_again_gets_the_rest(
    log: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "size=64k"):
        append(log, "x" * 100_000)
        (note,) = notes(follow(log, Target(f"{disk}/out", appends=False)))
        assert note.endswith("disk full; the log has everything")
        (disk / "out").unlink()
        (disk / "other").write_bytes(b"x" * (1 << 16))
        log.write_text("hello\n")
        target = Target(f"{disk}/out", appends=False)
        made = follow(log, target)
        wait_for(lambda: target.trouble == "disk full", 10)
        (disk / "other").unlink()
        wait_for(lambda: (disk / "out").read_text() == "hello\n", 10)
        assert notes(made) == ()


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let each write hang until the test has ended."""
    gate = threading.Event()
    began = threading.Event()

    def write(_file: int, _data: bytes) -> int:
        began.set()
        gate.wait()
        raise OSError(5, "gone")

    monkeypatch.setattr(streams.os, "write", write)
    yield lambda: bool(began.wait(10)) and None
    gate.set()


def test_a_hung_disk_does_not_hold_up_the_end(
    log: Path, tmp_path: Path, hung: Callable[[], None]
) -> None:
    append(log, "x")
    made = follow(log, Target(str(tmp_path / "out"), appends=False))
    hung()
    assert made.ended(100.0) is None
    assert made.ended(100.0 + PATIENCE_S - 0.1) is None
    (note,) = made.ended(100.0 + PATIENCE_S) or ()
    assert "its file system does not answer" in note


def test_a_slow_disk_holds_it_up_for_a_while(tmp_path: Path) -> None:
    target = Target(str(tmp_path / "out"), appends=False)
    made = Followed([Stream(str(tmp_path / "log"), [target])])  # its thread never starts
    now_s = 0.0
    while made.ended(now_s) is None:
        now_s += PATIENCE_S / 2
        target.moved += 1
    assert MOST_S <= now_s < MOST_S + PATIENCE_S


def test_standard_error_apart_is_in_both_files(tmp_path: Path) -> None:
    out, err, log = (tmp_path / one for one in ("stdout.log", "stderr.log", "output.log"))
    out.write_text("out\n")
    err.write_text("err\n")
    files = [Target(str(tmp_path / one), appends=False) for one in ("o", "e")]
    own = [Target(str(log), appends=True, is_own=True) for _ in range(2)]
    made = Followed([Stream(str(out), [own[0], files[0]]), Stream(str(err), [own[1], files[1]])])
    made.start()
    assert notes(made) == ()
    assert log.read_text() == "out\nerr\n"
    assert [(tmp_path / one).read_text() for one in ("o", "e")] == ["out\n", "err\n"]
    assert log.stat().st_mode & 0o777 == 0o600
