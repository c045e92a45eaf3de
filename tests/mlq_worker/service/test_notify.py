"""The two ends of sd_notify, over real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlq.errors import SettingsError
from mlq_worker.service.notify import Listener, Notifier


@pytest.fixture
def alive() -> Iterator[int]:
    """A pidfd that stays quiet: of this very process."""
    pidfd = os.pidfd_open(os.getpid())
    yield pidfd
    os.close(pidfd)


def test_ready_is_heard_with_its_status(tmp_path: Path, alive: int) -> None:
    with Listener(tmp_path / "sock") as listener:
        Notifier(str(listener.path), tmp_path / "status").ready("2 cores")
        heard = listener.wait(alive, 5)
    assert (heard.ready, heard.died, heard.status) == (True, False, "2 cores")
    assert (tmp_path / "status").read_text() == "2 cores\n"


def test_the_last_status_survives_the_deadline(tmp_path: Path, alive: int) -> None:
    with Listener(tmp_path / "sock") as listener:
        notify = Notifier(str(listener.path), tmp_path / "status")
        notify.status("connecting")
        notify.status("the queue does not answer\n  is it started?")
        heard = listener.wait(alive, 0.2)
    assert (heard.ready, heard.died) == (False, False)
    assert heard.status == "the queue does not answer; is it started?"


def test_an_abstract_address_is_understood(tmp_path: Path) -> None:
    name = f"mlq-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.settimeout(5)
        Notifier(f"@{name}", tmp_path / "status").stopping()
        assert receiver.recv(100) == b"STOPPING=1"


def test_a_listener_that_has_gone_or_is_full_harms_nobody(tmp_path: Path) -> None:
    with Listener(tmp_path / "sock") as listener:
        notify = Notifier(str(listener.path), tmp_path / "status")
        for number in range(1000):  # far more than a socket holds unread
            notify.status(f"turn {number}")
    notify.status("nobody listens")
    assert (tmp_path / "status").read_text() == "nobody listens\n"


def test_children_do_not_inherit_the_listener(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "sock"), "HOME": "/"}
    Notifier.taken_from(environ, tmp_path / "status")
    assert environ == {"HOME": "/"}


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="too long"):
        Listener(tmp_path / ("x" * 120))
