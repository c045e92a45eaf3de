"""Where a supervisor gets a scope of its own, on a written machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlq_worker.agent.scope import Machine, in_scope, why_not, with_bus

UNIT = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mlq-worker@lab01.service"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A Debian 12 whose user ann lingers."""
    for name in ("cgroups", "linger", "bin", f"run/{os.getuid()}/systemd"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "cgroups/cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    (tmp_path / "linger/ann").touch()
    (tmp_path / "bin/systemd-run").touch(mode=0o755)
    (tmp_path / f"run/{os.getuid()}/systemd/private").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("USER", "ann")
    return Machine(tmp_path / "cgroups", tmp_path / "linger", tmp_path / "run")


def test_who_lingers_has_one(machine: Machine) -> None:
    assert why_not(machine) == ""


def test_without_linger_only_a_unit_has_one(machine: Machine) -> None:
    (machine.linger / "ann").unlink()
    assert why_not(machine).startswith("a scope would end at the logout")
    assert why_not(machine._replace(own=UNIT)) == ""
    terminal = UNIT.replace("mlq-worker@lab01.service", "vte-spawn-7.scope")
    session = "0::/user.slice/user-1000.slice/session-3.scope"
    for own in (terminal, session, f"{UNIT}/sub"):
        assert why_not(machine._replace(own=own)).startswith("a scope would end at the logout")


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("cgroups/cgroup.controllers", "this machine has no cgroups of version 2 alone"),
        ("bin/systemd-run", "there is no systemd-run"),
        (f"run/{os.getuid()}/systemd/private", "no systemd runs for this user"),
    ],
)
def test_what_is_missing_is_said(machine: Machine, gone: str, said: str) -> None:
    (machine.cgroups.parent / gone).unlink()
    assert why_not(machine) == said


def test_cgroups_that_do_not_limit_memory(machine: Machine) -> None:
    (machine.cgroups / "cgroup.controllers").write_text("cpu io pids\n")
    assert why_not(machine) == "cgroups here do not limit memory"


def test_the_command(machine: Machine) -> None:
    command, other = in_scope(["python", "-m", "x"]), in_scope(["x"])
    assert command[:6] == [
        *("systemd-run", "--user", "--scope", "--quiet", "--collect"),
        "--property=Delegate=yes",
    ]
    assert command[7:] == ["--", "python", "-m", "x"]
    assert command[6] != other[6]
    assert with_bus({"A": "b"}, machine)["XDG_RUNTIME_DIR"] == f"{machine.run}/{os.getuid()}"
    assert with_bus({"XDG_RUNTIME_DIR": "/x"}, machine) == {"XDG_RUNTIME_DIR": "/x"}
