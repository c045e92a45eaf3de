"""What a resident process keeps in its runtime folder is made anew, whatever happens to it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlq.errors import UnsafePathError
from mlq.files.locks import is_locked, try_lock
from mlq.files.residence import YOUNG_S, Residence

PID = f"{os.getpid()}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A machine's runtime folder, as `mlq worker start` has made it."""
    folder = tmp_path / "run" / "m" / "desk"
    for one in (folder.parent.parent, folder.parent, folder):
        one.mkdir(mode=0o700)
    return folder


@pytest.fixture
def resident(folder: Path) -> Iterator[Residence]:
    """A process that has settled there, and has looked after it twice."""
    resident = Residence(folder, "worker", f"mlq-test-{secrets.token_hex(8)}", say=lambda _: None)
    assert resident.take()
    resident.settle()
    for now_s in (1.0, 2.0):
        resident.renew(now_s)
    yield resident
    resident.leave()


def without_lock(folder: Path) -> None:
    (folder / "worker.lock").unlink()


def with_another_lock(folder: Path) -> None:
    (folder / "worker.lock").unlink()
    (folder / "worker.lock").touch()


def without_pid(folder: Path) -> None:
    (folder / "worker.pid").unlink()


def with_another_pid(folder: Path) -> None:
    (folder / "worker.pid").write_text("1\n")


def without_folder(folder: Path) -> None:
    shutil.rmtree(folder.parent.parent)


def with_another_folder(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    folder.mkdir(mode=0o700)


def may_clean(folder: Path) -> bool:
    """Try its lock, as systemd-tmpfiles does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


DAMAGES = [
    *(without_lock, with_another_lock, without_pid, with_another_pid),
    *(without_folder, with_another_folder),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
def test_what_is_lost_is_made_anew(
    resident: Residence, folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)
    resident.renew(3.0)
    assert (folder / "worker.pid").read_text() == PID
    assert is_locked(folder / "worker.lock")
    assert not may_clean(folder)


def test_a_folder_opened_to_others_is_no_place(resident: Residence, folder: Path) -> None:
    folder.chmod(0o777)
    for now_s in (3.0, 4.0):
        with pytest.raises(UnsafePathError):
            resident.renew(now_s)
    folder.chmod(0o700)
    resident.renew(5.0)


def test_what_is_in_order_is_only_looked_at(
    resident: Residence, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> int:
        raise AssertionError("more than a look")

    old = (folder / "worker.lock").stat().st_mtime
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", never)
        patch.setattr(os, "mkdir", never)
        resident.renew(3.0)
    os.utime(folder / "worker.pid", (1, 1))
    resident.renew(3.0 + YOUNG_S)
    assert (folder / "worker.pid").stat().st_mtime >= old
