"""The systemd units: as they lie in systemd/, and as they are filled in for a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ci import require

from mlq_worker.service.systemd import filled_in, template

UNITS = Path(__file__).parents[2] / "systemd"
NAMES = ["mlq-server.service", "mlq-worker.service"]

Verify = Callable[[Path], subprocess.CompletedProcess[str]]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    require(shutil.which("systemd-analyze"), "systemd-analyze (Debian package systemd)")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)

    def run(unit: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemd-analyze", "verify", "--user", "--man=no", str(unit)],
            env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def accepted(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 0 and "ignoring" not in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_systemd_accepts_the_units_as_they_are(verify: Verify, name: str) -> None:
    done = verify(UNITS / name)
    assert accepted(done), done.stderr


def test_every_unit_is_tested() -> None:
    assert sorted(path.name for path in UNITS.iterdir()) == NAMES


def test_systemd_accepts_a_unit_filled_in_with_awkward_values(
    verify: Verify, tmp_path: Path
) -> None:
    program = tmp_path / 'an "odd" $HOME of 50%' / "mlq"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    text = filled_in(
        template("mlq-worker.service"),
        "gpu07",
        [str(program), "worker", "start", "--name", "gpu07"],
        {"MLQ_ROOT": '/vol/"my" root\\of 5%', "MLQ_BEAT_S": "10"},
    )
    unit = tmp_path / "mlq-worker-gpu07.service"
    unit.write_text(text)
    done = verify(unit)
    assert accepted(done), done.stderr


def test_the_check_itself_can_fail(verify: Verify, tmp_path: Path) -> None:
    unit = tmp_path / "mlq-worker.service"
    unit.write_text(template("mlq-worker.service").replace("KillMode", "KilMode"))
    assert not accepted(verify(unit))


def test_a_stopped_or_crashed_worker_leaves_its_jobs_running() -> None:
    lines = template("mlq-worker.service").splitlines()
    for line in ("Type=notify", "KillMode=process", "Restart=always", "OOMPolicy=continue"):
        assert line in lines


def test_nothing_in_the_units_needs_root() -> None:
    for name in NAMES:
        lines = template(name).splitlines()
        assert not [
            line for line in lines if line.startswith(("User=", "Group=", "WantedBy=multi"))
        ]
