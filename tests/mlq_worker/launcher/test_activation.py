"""A conda environment is activated on the machine, and changes nothing that the job was given."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mlq_worker.launcher.activation import NONE, activation_of

PROBE = ["/bin/sh", "-c", 'echo "$PATH|$A|$B|$C|$#:$1"; exit 7', "sh", "it's"]


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with an odd name, two scripts, and variables."""
    prefix = tmp_path / "it's mine"
    scripts = prefix / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "1.sh").write_text('export A=$CONDA_PREFIX/a B=scripts; false; PATH="/opt/*:$PATH"')
    (scripts / "2.sh").write_text("export C=${A#$CONDA_PREFIX}\n")
    (scripts / "2.fish").write_text("not for us")
    (prefix / "conda-meta").mkdir()
    state = {"env_vars": {"V": "1", "GONE": "***unset***", "BAD=": "x", "N": 1}}
    (prefix / "conda-meta" / "state").write_text(json.dumps(state))
    return prefix


def run(env: dict[str, str]) -> tuple[int, str]:
    argv = activation_of(env).wrapped(PROBE)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_scripts_add_and_never_replace(prefix: Path) -> None:
    path = f"{prefix}/bin:/usr/bin:/bin"
    env = {"CONDA_PREFIX": str(prefix), "PATH": path, "B": "the user's\nown"}
    assert run(env) == (7, f"/opt/*:{path}|{prefix}/a|the user's\nown|/a|1:it's\n")
    captured = f"/first:/opt/*:{path}"
    assert run({**env, "PATH": captured})[1].startswith(f"{captured}|")
    assert activation_of(env).variables == {"V": "1"}


def test_an_environment_that_is_not_in_path_is_not_active(prefix: Path) -> None:
    assert activation_of({"CONDA_PREFIX": str(prefix), "PATH": "/usr/bin"}) == NONE
    assert activation_of({"PATH": "/usr/bin"}) == NONE
    plain = activation_of({"CONDA_PREFIX": "/nowhere", "PATH": "/nowhere/bin"})
    assert plain.wrapped(["/bin/true", "x"]) == ["/bin/true", "x"]


def test_it_also_works_with_a_plain_sh(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlq_worker.launcher.activation._SHELLS", ("/bin/sh",))
    test_scripts_add_and_never_replace(prefix)
    assert os.access("/bin/sh", os.X_OK)
