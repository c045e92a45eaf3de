"""The worker as a unit of a real `systemd --user`: started, restarted, stopped, taken away.

A container has no systemd, so the test starts a user's instance itself, in a mount and a cgroup
namespace of its own with what it insists on. Linger is logind's business, which is not there: a
stand-in for loginctl says yes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci import require
from leftovers import kill_all
from sandbox import Sandbox, new_sandbox
from waiting import wait_for

STANDINS = Path(__file__).parents[1] / "support" / "standins"
SYSTEMD = Path("/lib/systemd/systemd")
UNIT = "mlq-worker-desk.service"
IN_NAMESPACES = ("unshare", "--mount", "--cgroup", "--propagation", "private", "sh", "-c")
PREPARE = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
umount --lazy /sys/fs/cgroup || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
"""
START_SYSTEMD = f"{PREPARE} exec {SYSTEMD} --user --log-target=console"


def systemctl(sandbox: Sandbox, *words: str) -> str:
    done = subprocess.run(
        ["systemctl", "--user", *words],
        env=sandbox.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def state(sandbox: Sandbox) -> str:
    return systemctl(sandbox, "show", UNIT, "--property=SubState", "--value")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    require(os.geteuid() == 0, "root, to make namespaces")
    require(SYSTEMD.exists() and shutil.which("unshare"), "systemd and unshare")
    prepared = subprocess.run([*IN_NAMESPACES, PREPARE], capture_output=True, check=False)
    require(prepared.returncode == 0, f"namespaces: {prepared.stderr.decode()}")
    with new_sandbox() as sandbox:
        (sandbox.folder / "bin").mkdir()
        (sandbox.folder / "bin" / "loginctl").symlink_to(STANDINS / "loginctl")
        (sandbox.folder / "linger").touch()
        sandbox.environ |= {
            "PATH": f"{sandbox.folder / 'bin'}:{sandbox.environ['PATH']}",
            "STANDIN_DIR": str(sandbox.folder),
            "MLQ_GUEST": "mine",
        }
        quickly = sandbox.folder / "config" / "systemd" / "user" / f"{UNIT}.d" / "quickly.conf"
        quickly.parent.mkdir(parents=True)
        quickly.write_text("[Service]\nRestartSec=200ms\n")
        box = subprocess.Popen(
            [*IN_NAMESPACES, START_SYSTEMD],
            env=sandbox.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(lambda: systemctl(sandbox, "show", "--property=Version"), what="systemd")
            sandbox.start_server()
            yield sandbox
        finally:
            sandbox.stop_server()
            kill_all(sandbox.folder)
            box.communicate()


@pytest.mark.root
def test_a_worker_as_a_unit(sandbox: Sandbox) -> None:
    pid_file = sandbox.folder / "run" / "mlq" / "m" / "desk" / "worker.pid"

    assert "has started it" in sandbox.ok("worker", "install", "--gpus", "none")
    assert state(sandbox) == "running"
    told = systemctl(sandbox, "show", UNIT, "--property=StatusText", "--value")
    assert told.startswith("desk: ")

    os.mkfifo(sandbox.folder / "end")
    job = sandbox.ok("enqueue", "--mem", "50M", "--shell", ": >runs; read x <end").strip()
    wait_for((sandbox.folder / "runs").exists, what="the job to run")

    # systemd starts a worker that crashed again, and the job does not notice.
    first = pid_file.read_text()
    os.kill(int(first), signal.SIGKILL)
    wait_for(lambda: state(sandbox) == "running" and pid_file.read_text() != first, what="restart")
    assert sandbox.queue().views([job])[0].attempt == 1

    # A worker that was stopped on purpose stays stopped; its job still runs.
    sandbox.run("worker", "stop")
    assert state(sandbox) == "dead"
    assert sandbox.queue().views([job])[0].state == "started"

    # The next one adopts it.
    systemctl(sandbox, "start", UNIT)
    (sandbox.folder / "end").write_text("now\n")
    wait_for(lambda: sandbox.queue().views([job])[0].state == "finished", what="the job's end")
    assert sandbox.queue().views([job])[0].attempt == 1

    sandbox.ok("worker", "uninstall")
    assert systemctl(sandbox, "is-enabled", UNIT) == ""
