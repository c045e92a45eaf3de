"""What runs stays in sight when its user begins to linger: runtime folders depend on that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from desk.image import HOST
from desk.lab import USER, Lab
from desk.vm import Vm

SLEEP = ("/usr/bin/sleep", "3600")


@pytest.fixture
def stranded(lab: Lab, vm: Vm) -> Iterator[Lab]:
    """A queue and a worker of a user who does not linger."""
    lab.stop_all()
    vm.run(["loginctl", "disable-linger", USER])
    lab.mlq("server", "start")
    lab.mlq("worker", "start", "--gpus", "none")
    yield lab
    lab.mlq("worker", "uninstall", check=False)
    lab.stop_all()
    vm.run(["loginctl", "enable-linger", USER])
    lab.mlq("server", "start")


def test_a_worker_is_installed_while_it_runs(stranded: Lab) -> None:
    job = stranded.enqueue("--", *SLEEP)
    stranded.until(job, state="started")
    assert "systemd starts the worker" in stranded.mlq("worker", "install").out
    assert f"a worker for {HOST} runs" in stranded.mlq("worker", "status").out
    assert stranded.view(job)["state"] == "started"
    stranded.mlq("worker", "stop", "--now")
    assert "no worker runs" in stranded.mlq("worker", "status", check=False).out
    assert stranded.view(job)["attempt"] == 1
    stranded.mlq("worker", "start", "--gpus", "none")
    stranded.until(job, state="started", attempt=2)
    stranded.cancel_all()
