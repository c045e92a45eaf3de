"""Whose session the seat shows: by libsystemd itself, and by the files that it reads."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_desk import RecordedDesk

from mlq_worker.guest.desk.desk import Session
from mlq_worker.guest.desk.seat import Libsystemd, LogindFiles, Seat, logind

# glibc tells how much memory is in use: what libsystemd returned must be freed, once.
ASK = """
import ctypes, json
from mlq_worker.guest.desk.seat import Libsystemd, logind
class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefgUij"]
told = getattr(ctypes.CDLL(None), "mallinfo2", Memory)
told.restype = Memory
asked = logind()
assert isinstance(asked, Libsystemd), asked
asked.seat()
before = told().U
for _ in range(1000):
    exists, active = asked.seat()
assert told().U - before < 10_000
print(json.dumps([exists, active and [active.uid, active.kind]]))
"""


def by_files(desk: RecordedDesk) -> Seat:
    return LogindFiles(desk.run).seat()


def by_libsystemd(desk: RecordedDesk) -> Seat:
    """Ask the real library, which looks into /run, in a mount namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can replace /run")
    try:
        ctypes.CDLL("libsystemd.so.0")
    except OSError:
        pytest.skip("there is no libsystemd here")
    desk.run.mkdir(parents=True, exist_ok=True)
    script = f'mount --bind "{desk.root}/run" /run && exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", ASK]
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    exists, active = json.loads(said.stdout)
    return Seat(exists, Session(*active) if active else None)


WAYS = pytest.mark.parametrize(
    "ask", [by_files, pytest.param(by_libsystemd, marks=pytest.mark.root)]
)


@WAYS
def test_no_logind(tmp_path: Path, ask) -> None:  # noqa: ANN001 - either way to ask
    assert ask(RecordedDesk(tmp_path, "qemu")) == Seat(exists=False)


@WAYS
def test_nobody_is_shown(tmp_path: Path, ask) -> None:  # noqa: ANN001
    desk = RecordedDesk(tmp_path, "qemu")
    desk.seat()
    assert ask(desk) == Seat(exists=True)


@WAYS
@pytest.mark.parametrize("kind", ["user", "greeter", "lock-screen"])
def test_a_session(tmp_path: Path, ask, kind: str) -> None:  # noqa: ANN001
    desk = RecordedDesk(tmp_path, "qemu")
    desk.seat("c2", 1001, kind)
    assert ask(desk) == Seat(True, Session(1001, kind))


@WAYS
def test_a_session_that_has_just_ended(tmp_path: Path, ask) -> None:  # noqa: ANN001
    desk = RecordedDesk(tmp_path, "qemu")
    desk.seat("c2", 1001)
    (desk.run / "sessions/c2").unlink()
    assert ask(desk) == Seat(exists=True)


@WAYS
def test_a_session_without_a_class(tmp_path: Path, ask) -> None:  # noqa: ANN001
    desk = RecordedDesk(tmp_path, "qemu")
    desk.seat("2", 1001)
    path = desk.run / "sessions/2"
    path.write_text(path.read_text().replace("CLASS=user\n", ""))
    assert ask(desk) == Seat(True, Session(1001, ""))


@pytest.mark.parametrize("name", ["../other", "a/b", "\0", ".."])
def test_a_seat_that_names_no_session(tmp_path: Path, name: str) -> None:
    desk = RecordedDesk(tmp_path, "qemu")
    desk.seat()
    (desk.run / "sessions").mkdir(exist_ok=True)
    (desk.run / "other").write_text("UID=7\nCLASS=user\n")
    (desk.run / "seats/seat0").write_text(f"ACTIVE={name}\n")
    assert by_files(desk) == Seat(exists=True)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe=\n", b"ACTIVE\n", b"=" * 100_000])
def test_a_seat_of_any_content(tmp_path: Path, content: bytes) -> None:
    desk = RecordedDesk(tmp_path, "qemu")
    desk.seat()
    (desk.run / "seats/seat0").write_bytes(content)
    assert by_files(desk) == Seat(exists=True)


def test_a_library_that_lacks_a_function() -> None:
    with pytest.raises(AttributeError):
        Libsystemd(ctypes.CDLL(None))


def test_this_machine() -> None:
    assert isinstance(logind().seat(), Seat)
