"""A machine with a real systemd reboots: the worker comes back by itself, and so do its jobs.

Nobody logs in after the boot. Linger, cron, logind and sessions are the real ones of a Debian.
"""

from __future__ import annotations

import base64
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest
from booted import TOOLS, BootedMachine
from box import search_path
from campus import OFFER, Campus, new_campus
from ci import require
from debian_tree import MLQ, debian_tree
from figures import NewScenario, Scenario
from machine import USER
from saying import Say
from waiting import wait_for

pytestmark = pytest.mark.timeout(400)  # with the building of the tree

UNIT = "mlq-worker-desk.service"
REQUEUED_S = 5.0  # from the worker's start

Install = Callable[[BootedMachine], None]


@pytest.fixture(scope="session")
def tree(say: Say) -> Path:
    """The Debian that the machine boots; built by the first test that asks, with a word on it."""
    for tool in TOOLS:
        require(which(tool, path=search_path()), f"{tool} (Debian: systemd-container, mmdebstrap)")
    try:
        return debian_tree(say)
    except subprocess.CalledProcessError as error:
        require(False, f"a Debian cannot be built here: {error}")
        raise


def test_a_debian_can_be_built(tree: Path) -> None:
    # A test of its own, for it takes a minute and the others wait until nothing else runs.
    assert (tree / "usr/bin/python3").exists()


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


def workers(desk: BootedMachine) -> list[int]:
    """Return the workers that run there, as counted on this box."""
    marks = (" -m mlq_worker ", " worker start --foreground ")
    return [pid for pid, words in desk.processes().items() if any(one in words for one in marks)]


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


def switched_off_and_on(desk: BootedMachine) -> None:
    desk.power_off()
    desk.power_on()


@pytest.mark.alone
@pytest.mark.parametrize(
    ("fault", "install", "strike"),
    [
        ("reboot of a real systemd, user unit", with_unit, BootedMachine.reboot),
        pytest.param(
            *("reboot of a real systemd, cron", with_cron, BootedMachine.reboot),
            marks=pytest.mark.lab,
        ),
        pytest.param(
            *("power cut and boot of a real systemd, user unit", with_unit, switched_off_and_on),
            marks=pytest.mark.lab,
        ),
    ],
)
def test_the_machine_itself_starts_the_worker(
    campus: Campus,
    desk: BootedMachine,
    scenario: NewScenario,
    fault: str,
    install: Install,
    strike: Callable[[BootedMachine], None],
) -> None:
    install(desk)
    reboot = scenario(fault)
    reboot.enqueue(2, 8)
    reboot.until_checkpointed()
    before = desk.boot_id
    reboot.strikes()
    strike(desk)
    assert desk.boot_id != before
    reboot.measure("to boot")
    came_back(campus, desk, reboot)
    assert {end_of_first(campus, job) for job in reboot.jobs} == {"lost: machine desk rebooted"}


@pytest.mark.lab
@pytest.mark.parametrize("install", [with_unit, with_cron], ids=["unit", "cron"])
def test_a_network_that_comes_up_after_the_worker(
    campus: Campus, desk: BootedMachine, scenario: NewScenario, install: Install
) -> None:
    install(desk)
    late = scenario(f"boot with the network away for 20 s, {install.__name__[5:]}")
    # Long enough for a worker that leaves without an answer of the queue to delay the reboot.
    late.enqueue(2, 40)
    late.until_checkpointed()
    late.strikes()
    desk.cut()
    desk.reboot()
    worker = campus.worker_pid(desk)
    late.pass_time(20)
    assert campus.worker_pid(desk) == worker, "the worker gave up"
    healed_s = time.monotonic()
    desk.heal()
    late.until_requeued(late.jobs, 60)
    # A try may just have failed: the longest pause is 15 s, and the first connection takes some.
    assert late.measure("to requeue from the network's return", healed_s) < 30
    assert campus.worker_pid(desk) == worker


@pytest.mark.alone
def test_a_worker_stays_in_sight_when_its_user_begins_to_linger(
    campus: Campus, desk: BootedMachine
) -> None:
    desk.mlq("worker", "start", *OFFER)
    desk.admin("loginctl", "enable-linger", USER)
    assert "a worker for desk runs" in desk.mlq("worker", "status")
    assert "goes on until then" in desk.mlq("worker", "install", *OFFER)
    assert "a worker for desk runs" in desk.mlq("worker", "status")
    desk.mlq("worker", "stop")
    wait_for(lambda: not workers(desk), what="the worker's end")


@pytest.mark.lab
def test_what_a_logout_ends(campus: Campus, desk: BootedMachine, scenario: NewScenario) -> None:
    desk.admin("mkdir", "/etc/systemd/logind.conf.d")
    (desk.seen("/etc/systemd/logind.conf.d/kill.conf")).write_text(
        "[Login]\nKillUserProcesses=yes\n"
    )
    desk.admin("systemctl", "restart", "systemd-logind")
    assert "a logout here ends all your processes" in desk.run(str(MLQ), "doctor").out
    started = desk.run(str(MLQ), "worker", "start", *OFFER)
    assert "runs" in started.out, started
    assert "when you log out, this machine ends the worker" in started.err
    wait_for(lambda: not workers(desk), what="logind to end the session")

    with_unit(desk)
    assert "ends all your processes" not in desk.run(str(MLQ), "doctor").out
    logout = scenario("logout with KillUserProcesses, user unit")
    logout.enqueue(2, 4)
    logout.until_all_run()
    (worker,) = workers(desk)
    logout.strikes()
    desk.run("true")
    desk.mlq("worker", "stop")
    wait_for(lambda: not workers(desk), what="the worker's end")
    desk.mlq("worker", "start")
    assert workers(desk) != [worker]
    for job in logout.jobs:
        assert campus.watch.until(job, "finished").attempt == 1
    assert workers(desk)


@pytest.mark.lab
def test_the_units_worker_is_restarted_and_its_jobs_do_not_notice(
    campus: Campus, desk: BootedMachine, scenario: NewScenario
) -> None:
    with_unit(desk)
    restart = scenario("systemctl --user restart")
    restart.enqueue(2, 6)
    restart.until_all_run()
    before = workers(desk)
    assert desk.run("systemctl", "--user", "restart", UNIT).code == 0
    assert workers(desk) != before
    shown = desk.run("systemctl", "--user", "show", UNIT, "--property=StatusText").out
    assert shown.startswith("StatusText=desk: 2 cores, ")
    assert "2 jobs held" in shown
    assert desk.run("systemctl", "--user", "stop", UNIT).code == 0
    assert not workers(desk)
    for job in restart.jobs:
        campus.until_ticks(job, since_s=time.monotonic())
    assert desk.run("systemctl", "--user", "start", UNIT).code == 0
    for job in restart.jobs:
        assert campus.watch.until(job, "finished").attempt == 1
