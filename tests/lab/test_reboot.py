"""A machine with a real systemd reboots: the worker comes back by itself, and so do its jobs.

Nobody logs in after the boot. Linger, cron, logind and sessions are the real ones of a Debian.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from booted import TOOLS, BootedMachine
from box import search_path
from campus import Campus, new_campus
from ci import require
from debian_tree import debian_tree
from figures import NewScenario, Scenario
from machine import USER

pytestmark = pytest.mark.timeout(400)  # with the building of the tree

OFFER = ("--cores", "2", "--gpus", "none")
UNIT = "mlq-worker-desk.service"
REQUEUED_S = 5.0  # from the worker's start


@pytest.fixture(scope="session")
def tree(request: pytest.FixtureRequest) -> Path:
    """The Debian that the machine boots; built by the first test that asks, with a word on it."""
    for tool in TOOLS:
        require(which(tool, path=search_path()), f"{tool} (Debian: systemd-container, mmdebstrap)")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, file=sys.stderr, flush=True)

    try:
        return debian_tree(say)
    except subprocess.CalledProcessError as error:
        require(False, f"a Debian cannot be built here: {error}")
        raise


@pytest.fixture
def campus(tree: Path) -> Iterator[Campus]:
    """A queue's host and a laptop; the only machine for jobs is `desk`."""
    with new_campus(0) as campus:
        yield campus


@pytest.fixture
def desk(campus: Campus, tree: Path) -> Iterator[BootedMachine]:
    """A machine that has booted systemd; its user has no linger."""
    machine = BootedMachine(campus, "desk", 31, tree)
    machine.power_on()
    yield machine
    print(machine.admin("journalctl", "--no-pager", "--lines=200"))


def with_unit(desk: BootedMachine) -> None:
    desk.admin("loginctl", "enable-linger", USER)
    assert "has started it" in desk.mlq("worker", "install", *OFFER)


def with_cron(desk: BootedMachine) -> None:
    assert "cron starts the worker" in desk.mlq("worker", "install", *OFFER)
    desk.mlq("worker", "start", *OFFER)


def came_back(campus: Campus, desk: BootedMachine, scenario: Scenario) -> None:
    """Make sure that the jobs run again, and that nobody had to log in for it."""
    since_s = campus.until_worker(desk)
    scenario.until_requeued(scenario.jobs, 60)
    assert scenario.measure("to requeue from the worker's start", since_s) < REQUEUED_S
    for job in scenario.jobs:
        campus.until_ticks(job, 2)
    scenario.measure("until all run again")
    assert "Accepted" not in desk.admin("journalctl", "--boot", "--identifier=sshd")
    for job in scenario.jobs:
        ended = campus.watch.until(job, "finished", attempt=2)
        assert (ended.attempt, ended.losses, ended.failures) == (2, 1, 0)
        assert "goes on at 0" not in campus.layout.log_file(job, 2).read_text()


def end_of_first(campus: Campus, job_id: str) -> str:
    """Return why a job's first attempt ended, from its history in the queue."""
    client = campus.watch._connected()
    entries = [fields for _, fields in client.call("XRANGE", f"rq:results:{job_id}", "-", "+")]
    (first,) = [fields for fields in entries if fields[b"execution_id"] == b"1"]
    return zlib.decompress(base64.b64decode(first[b"exc_string"])).decode()


def test_after_a_reboot_the_users_systemd_starts_the_worker(
    campus: Campus, desk: BootedMachine, scenario: NewScenario
) -> None:
    with_unit(desk)
    reboot = scenario("reboot of a real systemd, user unit")
    reboot.enqueue(2, 8)
    reboot.until_checkpointed()
    before = desk.boot_id
    reboot.strikes()
    desk.reboot()
    assert desk.boot_id != before
    reboot.measure("to boot")
    came_back(campus, desk, reboot)
    assert {end_of_first(campus, job) for job in reboot.jobs} == {"lost: machine desk rebooted"}
