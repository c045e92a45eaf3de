"""`mlq deploy`: what comes to lie in the results root, and what runs meanwhile."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from disks import small_disk
from far_lab import FarLab, dependencies
from sandbox import Completed

from mlq_cli.remote import deploy_payload, wheel
from mlq_cli.remote.deploy import deploy, run_here
from mlq_cli.remote.wheel import Wheel

pytestmark = pytest.mark.slow

PYTHON = sys.executable


@pytest.fixture
def machine(lab: FarLab) -> FarLab:
    lab.machine("gpu01", **dependencies())
    return lab


def run_deploy(lab: FarLab, *words: str) -> Completed:
    return lab.desk.run("deploy", "--on", "gpu01", "--python", PYTHON, *words, timeout_s=110)


def software(lab: FarLab) -> set[str]:
    return {path.name for path in (lab.root / "software").iterdir()}


def test_what_is_deployed_is_run_by_the_machines(machine: FarLab) -> None:
    done = run_deploy(machine, "--json")
    assert (done.code, done.err) == (0, ""), done
    (said,) = json.loads(done.out)
    version = wheel.build().label
    assert (said["version"], said["built"], said["before"]) == (version, True, "")
    assert software(machine) == {version, "current"}
    assert (machine.root / "software" / "current").readlink() == Path(version)
    assert (machine.root / "software" / version).stat().st_mode & 0o777 == 0o700
    assert (
        machine.on("gpu01", f"{machine.root}/software/current/bin/mlq --version") == "mlq 0.1.0\n"
    )

    machine.desk.start_server()
    started = machine.desk.run("worker", "start", "--gpus", "none", "--on", "gpu01")
    assert started.code == 0, started
    assert "worker for gpu01 runs" in started.out

    again = run_deploy(machine, "--json")
    assert json.loads(again.out)[0]["built"] is False


def test_the_version_before_is_kept_and_the_link_is_switched(machine: FarLab) -> None:
    old = machine.root / "software" / "0.0.9-old"
    forgotten = machine.root / "software" / "0.0.8-older"
    for version in (old, forgotten):
        version.mkdir(parents=True, mode=0o700)
        (version / deploy_payload.COMPLETE).touch()
    (forgotten / deploy_payload.RETIRED).touch()
    long_ago = time.time() - deploy_payload.KEPT_S - 60
    os.utime(forgotten / deploy_payload.RETIRED, (long_ago, long_ago))
    (machine.root / "software" / "current").symlink_to(old.name)
    done = run_deploy(machine)
    assert done.code == 0, done
    assert "0.0.9-old, which is kept" in done.out
    assert software(machine) == {wheel.build().label, old.name, "current"}
    assert (old / deploy_payload.RETIRED).exists()


def test_what_an_interrupted_attempt_left_is_made_anew(machine: FarLab) -> None:
    left = machine.root / "software" / wheel.build().label
    (left / "bin").mkdir(parents=True)
    (left / "bin" / "mlq").write_text("half")
    assert run_deploy(machine).code == 0
    assert (left / deploy_payload.COMPLETE).exists()


def test_two_at_once_do_not_meet(machine: FarLab) -> None:
    (machine.root / "software" / ".deploying").mkdir(parents=True)
    done = run_deploy(machine)
    assert done.code == 1
    assert "another deploy is under way" in done.err
    assert "rmdir" in done.err


@pytest.mark.parametrize(
    ("version", "says"),
    [("Python 3.9.2", "its newest is Python 3.9.2"), ("", "it has none")],
)
def test_a_python_that_is_too_old_or_missing(lab: FarLab, version: str, says: str) -> None:
    binaries = lab.desk.folder / "bin"
    binaries.mkdir()
    for name in ("sh", "echo") if not version else ("sh",):
        (binaries / name).symlink_to(f"/bin/{name}")
    if version:
        python = binaries / "python3"
        python.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo {version} && exit\nexit 1\n')
        python.chmod(0o700)
    lab.machine("gpu01", PATH=str(binaries))
    done = lab.desk.run("deploy", "--on", "gpu01")
    assert (done.code, done.out) == (1, "")
    assert "gpu01 has no Python that mlq can use" in done.err
    assert says in done.err
    assert "mlq deploy --python" in done.err


def test_a_python_without_venv(lab: FarLab) -> None:
    python = lab.desk.folder / "python3"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *"-m venv"*) echo "ensurepip is not available"; exit 1;; esac\n'
        f'exec {PYTHON} "$@"\n'
    )
    python.chmod(0o700)
    program = Path(deploy_payload.__file__).read_text().replace("sys.executable", repr(str(python)))
    found = Path(lab.desk.folder / "program.py")
    found.write_text(program)
    done = subprocess.run(
        [PYTHON, found, lab.root, "1", "x.whl"], input=b"", capture_output=True, check=False
    )
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert "cannot make virtual environments" in error[0]
    assert error[1] == "ensurepip is not available"
    assert os.listdir(lab.root / "software") == []  # noqa: PTH208 - names


def test_a_wheel_that_cannot_be_installed_leaves_nothing(machine: FarLab) -> None:
    heard: list[str] = []
    with pytest.raises(Exception, match="pip cannot install what mlq needs"):
        deploy(
            run_here,
            "this machine",
            machine.root,
            Wheel("9", "mlq_lab-9-py3-none-any.whl", b"no zip"),
            PYTHON,
            heard.append,
        )
    assert software(machine) == set()
    assert heard


@pytest.mark.root
def test_a_disk_that_is_full_there(machine: FarLab) -> None:
    with small_disk(machine.root, "size=1m,mode=700"):
        done = run_deploy(machine)
        assert software(machine) == set()  # what there was of it does not take the room
    assert done.code == 1
    assert "is full" in done.err
    assert "make room there" in done.err


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_nothing_is_deployed_where_others_could_replace_it(machine: FarLab, mode: int) -> None:
    machine.root.chmod(mode)
    done = run_deploy(machine)
    assert done.code == 1
    assert f"the results root {machine.root} is open to others" in done.err
    assert "chmod 700" in done.err
    assert not (machine.root / "software" / "current").exists()


def test_a_root_that_cannot_be_made(machine: FarLab) -> None:
    environ = {"MLQ_ROOT": "/nowhere/mlq"}
    words = ["deploy", "--on", "gpu01", "--python", PYTHON]
    done = machine.desk.run(*words, environ=environ)
    assert done.code == 1
    assert "there is no /nowhere" in done.err


def test_the_wheel_lists_what_it_holds_and_is_always_the_same() -> None:
    built = wheel.build()
    assert built == wheel.build()
    with zipfile.ZipFile(BytesIO(built.data)) as archive:
        names = archive.namelist()
        record = archive.read("mlq_lab-0.1.0.dist-info/RECORD").decode()
    listed = [row[0] for row in csv.reader(StringIO(record))]
    assert listed == names
    assert {
        "mlq/settings/settings.py",
        "mlq/store/lua/claim.lua",
        "mlq_worker/service/units/mlq-worker.service",
    } <= set(names)
    assert not [name for name in names if "__pycache__" in name]
