"""Commands that take a sweep where an id is taken, against a real server."""

from __future__ import annotations

import json

import pytest
from sandbox import Sandbox

from mlq.jobs.lifecycle import Event

pytestmark = pytest.mark.slow


def sweep(installation: Sandbox) -> None:
    installation.start_server()
    words = ["-n", "lr", "--param", "lr=1e-3,1e-4", "--seeds", "3", "--max-running", "4"]
    installation.ok("enqueue", "--in-place", *words, "--", "true", "{args}")


def test_a_sweep_is_one_line_and_its_members_show_what_varies(installation: Sandbox) -> None:
    sweep(installation)
    installation.ok("enqueue", "--in-place", "-n", "alone", "--", "true")
    lines = installation.ok("ls").splitlines()
    assert lines[0].split() == ["SWEEP", "NAME", "MEMBERS", "DONE", "QUEUED"]
    assert lines[1].split() == ["1", "lr", "6", "·" * 20, "0", "6"]
    assert lines[3].split()[0] == "ID"
    assert lines[4].split()[:2] == ["2", "queued"]
    lines = installation.ok("ls", "lr", "--sort", "seed", "-r").splitlines()
    assert lines[0] == "sweep 1 lr: 6 members: 6 queued; at most 4 at once"
    assert [line.split()[:4] for line in lines[2:5]] == [
        ["ID", "STATE", "lr", "seed"],
        ["1_2", "queued", "1e-3", "2"],
        ["1_5", "queued", "1e-4", "2"],
    ]
    for columns in (80, 140):
        shown = installation.on_terminal("ls", columns=columns).out.splitlines()
        assert all(len(line) <= columns + 20 for line in shown)  # with colours
    jobs = json.loads(installation.ok("ls", "1", "--json"))
    assert [(job["id"], job["sweep"], job["params"]["seed"]) for job in jobs][:2] == [
        ("1_0", 1, "0"),
        ("1_1", 1, "1"),
    ]
    assert json.loads(installation.ok("ls", "--json", "--name", "al*"))[0]["id"] == "2"
    assert installation.ok("ls", "--machine", "x*") == ("no job matches\n")


def test_it_is_held_let_go_changed_canceled_and_run_again(installation: Sandbox) -> None:
    sweep(installation)
    assert installation.ok("hold", "lr", "--reason", "no data yet") == (
        "held sweep 1: none of it starts\n"
    )
    assert "no data yet" in installation.ok("ls")
    assert installation.ok("ls", "lr").splitlines()[4].split()[:2] == ["1_0", "held"]
    assert "1_0 " in installation.ok("ls", "lr", "--state", "held")
    assert installation.ok("ls", "lr", "--state", "queued") == "no job matches\n"
    assert "Its sweep is held: no data yet. Let it go: mlq release 1" in installation.ok(
        "explain", "1_3"
    )
    lines = installation.ok("explain", "lr").splitlines()
    assert lines[0] == "sweep 1 lr: 6 members: 6 held; at most 4 at once"
    assert lines[2] == "The first of them that waits:"
    assert lines[3].startswith("1_0 lr is queued")
    assert installation.ok("release", "lr") == "released sweep 1\n"
    assert installation.run("release", "lr").err == "mlq: sweep 1 is not held\n"
    out = installation.ok("edit", "lr", "--priority", "2", "--time", "1h")
    assert out == "changed: 1_0-5\n"
    installation.know("lab01", cores_total=4, mem_total_mib=8192, gpus=[])
    assert "no known machine can run it" in installation.run("edit", "1_5", "-c", "64").err
    assert installation.ok("hold", "1_5") == "held: 1_5\n"
    assert "Let it go: mlq release 1_5" in installation.ok("explain", "1_5")
    assert installation.ok("cancel", "1_4") == "canceled 1_4\n"
    installation.claim("1_0")
    installation.move("1_0", Event.FAIL)
    assert installation.ok("retry", "lr", "--failed") == "queued again: 1 job: 1_0\n"
    assert installation.ok("release", "1") == "queued again: 1_5\n"
    installation.ok("hold", "lr")
    assert installation.ok("cancel", "1_5") == "canceled 1_5\n"
    assert "mlq release 1" in installation.run("retry", "1_5").err
    assert installation.run("wait", "lr", "--timeout", "0.1s").code == 124
    assert installation.run("cancel", "lr").out == "canceled 1_0-3, 1_5\n"


def test_the_queue_is_paused_and_goes_on(installation: Sandbox) -> None:
    sweep(installation)
    assert "mlq resume" in installation.ok("pause", "--reason", "new disks")
    assert installation.ok("ls").startswith("The queue is paused: new disks.")
    assert "The queue is paused: new disks." in installation.ok("explain", "1_0")
    assert installation.ok("resume") == "the queue gives jobs out again\n"
    assert installation.run("resume").code == 1
