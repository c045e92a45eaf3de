"""Coming back after a reboot: what is done on which machine, with stand-ins for its tools."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from installation import private_settings

from mlq.errors import WorkerError
from mlq.files.paths import machine_dir
from mlq.settings.settings import Settings
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.service import crontab, systemd
from mlq_worker.service.control import stop
from mlq_worker.service.install import install, uninstall, unit_for
from mlq_worker.service.lock import held
from mlq_worker.service.status import status

STANDINS = Path(__file__).parents[2] / "support" / "standins"
OPTIONS = WorkerOptions(cores=4, mem_mib=1536, gpus="0,1", guest="night")
THEIRS = "# my own\n0 4 * * * backup --to '/a b'\n"


class Machine:
    """A machine whose tools are stand-ins; `has` says which of them work."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.unit = folder / "config" / "systemd" / "user" / "mlq-worker-lab01.service"

    def has(self, *names: str) -> None:
        for name in names:
            (self.folder / name).touch()

    @property
    def crontab(self) -> str:
        path = self.folder / "crontab"
        return path.read_text() if path.exists() else ""

    @property
    def told(self) -> list[str]:
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []

    def install(self, *, print_only: bool = False) -> str:
        return install(self.settings, OPTIONS, print_only)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", f"{STANDINS}:/usr/bin:/bin")
    monkeypatch.setenv("STANDIN_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("MLQ_ROOT", "/vol/50% full")
    monkeypatch.setenv("MLQ_JOB_ID", "7")
    return Machine(tmp_path, private_settings(tmp_path))


def test_where_units_run_without_a_login_it_is_a_unit(machine: Machine) -> None:
    machine.has("systemd", "linger")
    assert "has started it" in machine.install()
    assert machine.told == [
        "daemon-reload",
        f"enable {machine.unit}",
        "start mlq-worker-lab01.service",
    ]
    text = machine.unit.read_text()
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert start.endswith(
        "worker start --foreground --keep-trying --name lab01 --cores 4 --mem 1536M --gpus 0,1 "
        "--guest night"
    )
    assert 'Environment="MLQ_ROOT=/vol/50%% full"' in text
    assert "MLQ_JOB_ID" not in text
    assert f"ConditionHost={os.uname().nodename}" in text
    assert machine.crontab == ""


def test_a_unit_starts_the_worker_it_was_made_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("systemd", "linger")
    assert unit_for(machine.settings, OPTIONS) == ""
    machine.install()
    unit = "mlq-worker-lab01.service"
    assert unit_for(machine.settings, OPTIONS) == unit
    assert unit_for(machine.settings, WorkerOptions()) == unit
    assert unit_for(machine.settings, WorkerOptions(cores=4)) == ""
    assert unit_for(machine.settings, replace(OPTIONS, guest="mine")) == ""
    monkeypatch.setenv("MLQ_ROOT", "/vol/another")
    assert unit_for(machine.settings, OPTIONS) == ""


@pytest.mark.parametrize(
    ("cgroup", "lingers", "kills", "ends"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope", True, True, True),
        ("0::/user.slice/user-1000.slice/session-3.scope", False, False, False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope", True, True, False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope", False, False, True),
        ("0::/system.slice/cron.service", False, True, False),
        ("0::/", False, True, False),
    ],
)
def test_what_a_logout_ends(cgroup: str, lingers: bool, kills: bool, ends: bool) -> None:
    found = systemd.ends_at_logout(cgroup, lingers=lambda: lingers, kills=lambda: kills)
    assert found is ends


def test_linger_is_switched_on_where_that_is_allowed(machine: Machine) -> None:
    machine.has("systemd", "linger.allowed")
    assert "systemd starts the worker" in machine.install()
    assert (machine.folder / "linger").exists()


def test_a_worker_that_runs_is_not_started_beside(machine: Machine) -> None:
    machine.has("systemd", "linger")
    with held(machine_dir(machine.settings.runtime_dir, "lab01"), "lab01"):
        assert "goes on until then" in machine.install()
    assert not [words for words in machine.told if words.startswith("start")]


def test_without_linger_it_is_a_crontab_line(machine: Machine) -> None:
    machine.has("systemd")
    (machine.folder / "crontab").write_text(THEIRS)
    assert "cron starts the worker" in machine.install()
    line = machine.crontab.removeprefix(THEIRS)
    assert line.startswith("@reboot ")
    assert " --guest night " in line
    assert line.endswith("# mlq-worker lab01\n")
    assert line.count("\n") == 1
    assert not machine.unit.exists()
    assert status(machine.settings).at_boot == "crontab"


def test_a_last_line_without_its_end_stays_a_line_of_its_own(machine: Machine) -> None:
    (machine.folder / "crontab").write_text("@daily tidy")
    machine.install()
    assert machine.crontab.startswith("@daily tidy\n@reboot ")


def test_installing_again_changes_nothing(machine: Machine) -> None:
    machine.install()
    once = machine.crontab
    machine.install()
    assert machine.crontab == once


def test_machines_that_share_a_crontab_keep_a_line_each(machine: Machine, tmp_path: Path) -> None:
    machine.install()
    once = machine.crontab
    other = private_settings(tmp_path, "lab010")
    install(other, OPTIONS, print_only=False)
    uninstall(other)
    assert machine.crontab == once


def test_when_linger_comes_later_the_unit_takes_the_lines_place(machine: Machine) -> None:
    machine.install()
    machine.has("systemd", "linger")
    machine.install()
    assert machine.crontab == ""
    assert machine.unit.exists()


def test_where_nothing_works_it_says_what_to_do(machine: Machine) -> None:
    machine.has("crontab.denied")
    for print_only in (False, True):
        with pytest.raises(WorkerError, match=r"after a reboot, type `mlq worker start`"):
            machine.install(print_only=print_only)


def test_sockets_that_vanish_with_the_login_are_refused_to_cron(machine: Machine) -> None:
    settings = private_settings(Path("/run/user/1000"))
    with pytest.raises(WorkerError, match="runtime_dir ="):
        install(settings, OPTIONS, print_only=True)
    assert machine.crontab == ""


@pytest.mark.parametrize("present", [(), ("systemd",), ("systemd", "linger")])
def test_print_shows_and_does_nothing(machine: Machine, present: tuple[str, ...]) -> None:
    machine.has(*present, "linger.allowed")
    shown = machine.install(print_only=True)
    assert ("ExecStart=" in shown) == ("systemd" in present)
    assert ("@reboot" in shown) == ("linger" not in present)
    assert machine.crontab == ""
    assert machine.told == []
    assert not machine.unit.exists()
    assert (machine.folder / "linger").exists() == ("linger" in present)


def test_uninstall_undoes_both(machine: Machine) -> None:
    (machine.folder / "crontab").write_text(THEIRS)
    machine.install()
    assert uninstall(machine.settings) == "removed the crontab line"
    assert machine.crontab == THEIRS
    machine.has("systemd", "linger")
    machine.install()
    assert "removed the systemd user unit" in uninstall(machine.settings)
    assert "disable mlq-worker-lab01.service" in machine.told
    assert not machine.unit.exists()
    assert uninstall(machine.settings) == "nothing was installed for lab01"


def test_systemd_is_told_that_a_stop_was_meant(machine: Machine) -> None:
    machine.has("systemd", "linger")
    machine.install()
    stop(machine.settings, "keep", lambda _: None)
    assert machine.told[-1] == "stop mlq-worker-lab01.service"


def test_the_crontab_line_runs_and_tries_again(tmp_path: Path) -> None:
    """Run what cron would: its line with `\\%` turned back into `%`, in sh."""
    program = tmp_path / "50% of it"
    program.write_text(
        '#!/bin/sh\necho "$MLQ_ROOT $*" >>"$OUT"\n[ "$(wc -l <"$OUT")" -ge 3 ]\n', encoding="utf-8"
    )
    program.chmod(0o700)
    (tmp_path / "sleep").write_text('#!/bin/sh\necho "slept $1" >>"$OUT.naps"\n')
    (tmp_path / "sleep").chmod(0o700)
    line = crontab.reboot_line("lab01", [str(program), "start", "a'b"], {"MLQ_ROOT": "/vol/5%"})
    command = line.removeprefix("@reboot ").replace(r"\%", "%")
    out = tmp_path / "out"
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OUT": str(out)}
    subprocess.run(["/bin/sh", "-c", command], env=environ, check=True, timeout=30)
    assert out.read_text() == "/vol/5% start a'b\n" * 3
    assert (tmp_path / "out.naps").read_text() == "slept 60\n" * 2


def test_a_line_too_long_for_cron_is_refused() -> None:
    with pytest.raises(WorkerError, match=r"config\.toml"):
        crontab.reboot_line("lab01", ["mlq"], {"MLQ_ROOT": "x" * 1000})


def test_the_deployed_mlq_is_started_by_the_link_to_its_current_version(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    software = machine.settings.root / "software"
    monkeypatch.setattr("sys.executable", str(software / "0.1.0-abc" / "bin" / "python"))
    machine.has("systemd", "linger")
    machine.install()
    assert f"ExecStart={software}/current/bin/mlq worker start" in machine.unit.read_text()
