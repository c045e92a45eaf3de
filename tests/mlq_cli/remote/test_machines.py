"""Workers and the server of other machines, as they are started, looked at and stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from far_lab import FarLab
from waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def deployed(lab: FarLab) -> FarLab:
    lab.install()
    for name in ("gpu01", "gpu02"):
        lab.machine(name)
    return lab


def objects(out: str) -> dict[str, dict[str, Any]]:
    return {one["machine"]: one for one in json.loads(out)}


def test_good_machines_work_though_others_fail(deployed: FarLab) -> None:
    """One is off, one does not exist: the others start, and the table says what is wrong."""
    deployed.machine("gpu03").end()
    deployed.desk.start_server()
    names = "gpu01,gpu03,gpu02,gpu99.invalid"
    done = deployed.desk.run("worker", "start", "--gpus", "none", "--on", names)
    assert done.code == 1, done
    rows = [line.split() for line in done.out.splitlines()]
    results = {row[0]: row[1] for row in rows if row[0] in names.split(",")}
    assert results == {"gpu01": "ok", "gpu03": "failed", "gpu02": "ok", "gpu99.invalid": "failed"}
    assert "worker for gpu01 runs (process" in done.out
    assert "there is no host gpu99.invalid" in done.out
    assert "is it on, and are you on a network" in done.out

    looked = deployed.desk.run("worker", "status", "--on", "gpu01,gpu02", "--json")
    assert looked.code == 0, looked
    found = objects(looked.out)
    assert [found[name]["running"] for name in ("gpu01", "gpu02")] == [True, True]

    stopped = deployed.desk.run("worker", "stop", "--on", "gpu01", "--json")
    assert stopped.code == 0, stopped
    assert "its jobs go on" in objects(stopped.out)["gpu01"]["says"]
    looked = deployed.desk.run("worker", "status", "--on", "gpu01,gpu02")
    assert looked.code == 1
    assert "does not run" in looked.out


def test_all_means_the_machines_of_the_settings(deployed: FarLab) -> None:
    deployed.desk.start_server()
    none_listed = deployed.desk.run("worker", "status", "--all")
    assert (none_listed.code, none_listed.out) == (2, "")
    assert "the setting `machines` lists none" in none_listed.err
    config = Path(deployed.desk.environ["XDG_CONFIG_HOME"]) / "mlq" / "config.toml"
    config.write_text('machines = ["gpu01", "gpu02"]\n')
    done = deployed.desk.run("worker", "status", "--all", "--json")
    assert set(objects(done.out)) == {"gpu01", "gpu02"}
    assert done.code == 1  # none of them runs


def test_a_drained_worker_lets_its_job_end(deployed: FarLab) -> None:
    desk = deployed.desk
    desk.start_server()
    release = desk.folder / "release"
    desk.ok("worker", "start", "--gpus", "none", "--on", "gpu01")
    desk.ok("enqueue", "--shell", f"until [ -e {release} ]; do sleep 0.1; done")
    wait_for(lambda: "started" in desk.ok("ls"), what="the job")
    assert "takes no more jobs" in desk.ok("worker", "drain", "--on", "gpu01")
    assert desk.run("worker", "status", "--on", "gpu01").code == 0
    release.touch()
    wait_for(lambda: desk.run("worker", "status", "--name", "gpu01").code == 1, what="its end")
    assert json.loads(desk.ok("ls", "--json", "--all"))[0]["state"] == "finished"


def test_the_server_of_another_machine(deployed: FarLab) -> None:
    started = deployed.desk.run("server", "start", "--on", "gpu01")
    try:
        assert (started.code, started.err) == (0, "")
        assert "the queue answers now at" in started.out
        looked = deployed.desk.run("server", "status", "--on", "gpu01", "--json")
        assert objects(looked.out)["gpu01"]["running"] is True
        assert "no job" in deployed.desk.ok("ls")
    finally:
        stopped = deployed.desk.run("server", "stop", "--on", "gpu01")
    assert "the queue's server has stopped" in stopped.out


def test_what_the_machine_says_is_passed_on(deployed: FarLab) -> None:
    done = deployed.desk.run("worker", "start", "--on", "gpu01")
    assert done.code == 1
    assert "failed" in done.out
    assert "redis.password" in done.out
    assert "start the queue" in done.out


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("root", "is not there"),
        ("current", "`mlq deploy` puts it there"),
        ("tested/bin/python", "the Python of"),
    ],
)
def test_what_is_missing_there_is_named(deployed: FarLab, spoil: str, says: str) -> None:
    software = deployed.root / "software"
    if spoil == "root":
        deployed.root.rename(deployed.root.with_name("elsewhere"))
    else:
        (software / spoil).unlink()
    done = deployed.desk.run("worker", "status", "--on", "gpu01")
    assert done.code == 1
    assert says in done.out


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777])
def test_an_mlq_that_others_could_have_put_there_is_not_run(deployed: FarLab, mode: int) -> None:
    ran = deployed.root / "ran"
    software = deployed.root / "software"
    software.rename(deployed.root / "moved")  # as whoever can write to the root can do
    binaries = software / "current" / "bin"
    binaries.mkdir(parents=True)
    for name in ("mlq", "python"):
        (binaries / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (binaries / name).chmod(0o755)
    deployed.root.chmod(mode)
    done = deployed.desk.run("worker", "status", "--on", "gpu01")
    assert done.code == 1
    assert f"the results root {deployed.root} is open to others" in done.out
    assert f"chmod 700 {deployed.root}" in done.out
    assert not ran.exists()


def test_a_machine_whose_mlq_hangs_is_not_waited_for_on_ctrl_c(deployed: FarLab) -> None:
    mlq = deployed.root / "software" / "tested" / "bin" / "mlq"
    begun = deployed.desk.folder / "begun"
    mlq.unlink()
    mlq.write_text(f"#!/bin/sh\ntouch {begun}\nexec sleep 100\n")
    mlq.chmod(0o700)
    with deployed.desk.started("worker", "status", "--on", "gpu01") as process:
        wait_for(begun.exists, what="the far command")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        ["worker", "start", "--on", "-oProxyCommand=touch${IFS}x"],
        ["worker", "start", "--on", ","],
        ["worker", "start", "--on", "gpu01;reboot"],
        ["worker", "start", "--on", "gpu01", "--name", "other"],
        ["worker", "start", "--on", "gpu01", "--foreground"],
        ["worker", "start", "--on", "gpu01", "--all"],
        ["server", "start", "--on", "a b"],
        ["deploy", "--on", "-x"],
    ],
)
def test_what_cannot_be_meant_is_refused(lab: FarLab, words: list[str]) -> None:
    done = lab.desk.run(*words)
    assert (done.code, done.out) == (2, ""), done
    assert done.err.startswith("mlq: ")


def test_each_machine_has_a_line_while_it_lasts_and_a_row_at_the_end(deployed: FarLab) -> None:
    deployed.desk.start_server()
    shown = deployed.desk.on_terminal("worker", "status", "--on", "gpu01,gpu02", timeout_s=60).out
    assert "gpu01  connecting\ngpu02  connecting\n" in shown.replace("\r", "")
    table = shown.rpartition("\x1b[J")[2]
    assert table.count("gpu01") == 1
    assert "does not run" in table
