"""`mlq doctor` on real installations, here and by ssh."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ci import require
from far_lab import FarLab
from sandbox import Completed, Sandbox, new_sandbox

from mlq.jobs.signing import create_key
from mlq.settings.load import load
from mlq_cli.doctor import look
from mlq_cli.doctor.check import Check, Level, ok
from mlq_cli.doctor.runner import Probe, examine

pytestmark = pytest.mark.slow


@pytest.fixture
def installation() -> Iterator[Sandbox]:
    with new_sandbox() as sandbox:
        yield sandbox


def by_topic(done: Completed, machine: str = "desk") -> dict[str, dict[str, Any]]:
    found = json.loads(done.out)
    return {one["topic"]: one for one in found if one["machine"] == machine}


def test_a_sound_installation_has_no_problem(installation: Sandbox) -> None:
    installation.start_server()
    done = installation.run("doctor", "--json")
    assert done.code == 0, done
    found = by_topic(done)
    assert not [one for one in found.values() if one["level"] == "problem"]
    for topic in ("python", "mlq", "cores", "root", "clock", "space", "queue", "acl", "password"):
        assert found[topic]["level"] == "ok", found[topic]
    assert "as user mlq" in found["queue"]["says"]
    assert list((installation.folder / "root").iterdir()) == []  # nothing is left there


def test_what_is_wrong_is_named_with_its_remedy(installation: Sandbox) -> None:
    installation.start_server()
    (installation.folder / "config/mlq/signing.key").chmod(0o644)
    (installation.folder / "root").rename(installation.folder / "away")
    installation.stop_server()
    done = installation.run("doctor")
    assert done.code == 1
    assert "is open to others: its mode is 0644" in done.out
    assert "chmod 600" in done.out
    assert "is not there" in done.out
    assert "start it with: mlq server start" in done.out
    assert "3 problem" in done.out


def test_a_queue_behind_ssh_is_examined_through_the_tunnel(lab: FarLab) -> None:
    lab.desk.start_server()
    lab.world.host("queue")
    environ = {"MLQ_QUEUE_HOST": "queue", "MLQ_TUNNEL_IDLE_S": "1"}
    done = lab.desk.run("doctor", "--json", environ=environ)
    found = by_topic(done)
    assert found["ssh"]["level"] == "ok", done
    assert found["queue"]["level"] == "ok", done
    lab.world.known_hosts.write_text("")
    lab.world.hosts["queue"].wire.drop_all()
    found = by_topic(lab.desk.run("doctor", "--json", environ=environ))
    assert found["ssh"]["level"] == "problem"
    assert "is not known" in found["ssh"]["says"]
    assert "answer yes" in found["ssh"]["remedy"]


def test_other_machines_examine_themselves(lab: FarLab) -> None:
    lab.install()
    lab.desk.start_server()
    lab.machine("gpu01")
    lab.machine("gpu02").end()
    done = lab.desk.run("doctor", "--on", "gpu01,gpu02", "--json")
    assert done.code == 1
    assert by_topic(done, "gpu01")["queue"]["level"] == "ok"
    assert by_topic(done, "gpu01")["ssh"]["level"] == "ok"
    assert by_topic(done, "gpu02")["reach"]["level"] == "problem"
    shown = lab.desk.run("doctor", "--on", "gpu01,gpu02").out
    assert "gpu01" in shown
    assert "cannot be reached" in shown


def test_machines_that_cannot_work_together_are_told(lab: FarLab, tmp_path: Path) -> None:
    lab.install()
    lab.desk.start_server()
    create_key(tmp_path / "another.key")
    lab.machine("gpu01")
    lab.machine("gpu02", MLQ_KEY_FILE=str(tmp_path / "another.key"))
    lab.machine("gpu03", MLQ_DEAD_S="300")
    done = lab.desk.run("doctor", "--on", "gpu01,gpu02,gpu03", "--json")
    assert done.code == 1
    wrong = {
        (machine, topic)
        for machine in ("gpu01", "gpu02", "gpu03")
        for topic, one in by_topic(done, machine).items()
        if "not the same as on desk" in one["says"]
    }
    assert wrong == {("gpu02", "signing key"), ("gpu03", "times")}
    key = (lab.desk.folder / "config/mlq/signing.key").read_text().strip()
    assert key not in done.out


def test_a_probe_that_hangs_costs_its_own_check_alone() -> None:
    never = threading.Event()

    def hang() -> list[Check]:
        never.wait(60)
        return []

    shown: list[dict[str, str]] = []
    found = examine(
        [
            Probe("nfs", hang, 0.3, "ask the administrator"),
            Probe("fine", lambda: [ok("fine", "yes")]),
        ],
        shown.append,
    )
    never.set()
    assert [(one.topic, one.level) for one in found] == [
        ("nfs", Level.PROBLEM),
        ("fine", Level.OK),
    ]
    assert found[0].says == "no answer after 0.3 s"
    assert found[0].remedy == "ask the administrator"
    assert any("nfs" in one for one in shown)


def test_a_probe_that_fails_is_a_problem_and_a_bug_is_not_hidden() -> None:
    def fail() -> list[Check]:
        raise PermissionError(13, "Permission denied", "/vol")

    (found,) = examine([Probe("root", fail)])
    assert (found.level, found.says) == (Level.PROBLEM, "/vol: Permission denied")

    def bug() -> list[Check]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine([Probe("bug", bug)])


def test_the_clock_is_compared_with_a_stamp_of_the_file_server(installation: Sandbox) -> None:
    facts = look.root(load(installation.environ).settings)
    assert abs(facts.skew_s) <= facts.skew_error_s + 1
    assert facts.write_s > 0


@pytest.mark.root
def test_a_root_of_somebody_else(installation: Sandbox) -> None:
    require(os.geteuid() == 0, "root, to give a folder away")
    os.chown(installation.folder / "root", 65534, 65534)
    found = by_topic(installation.run("doctor", "--json"))
    assert found["root"]["level"] == "problem"
    assert "belongs to another user" in found["root"]["says"]
