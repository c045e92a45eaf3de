"""The examples of jug, submitit, Hydra, Slurm's commands and pilots, run as they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from local_lab import Lab
from server_programs import REPOSITORY
from slurm_cluster import SlurmCluster
from users_python import users_python

pytestmark = pytest.mark.slow
OWN = Path(sys.executable).parent


def run(lab: Lab, *words: str | Path, code: int = 0) -> str:
    """Run a program in the lab's folder; return what it wrote."""
    done = subprocess.run(
        words,
        env=lab.environ,
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done
    return done.stdout + done.stderr


def example(lab: Lab, name: str) -> Path:
    """Put an example into the lab's folder."""
    return Path(shutil.copy(REPOSITORY / "examples" / name, lab.folder))


def with_plugins(lab: Lab, python: Path, *entries: str) -> None:
    """Give the user this Python, and the plugins in it."""
    site = lab.folder / "site" / "mlq_plugins-0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Name: mlq-plugins\nVersion: 0\n")
    (site / "entry_points.txt").write_text("".join(f"{one}\n" for one in entries))
    lab.environ |= {
        "PYTHONPATH": f"{REPOSITORY / 'plugins'}:{lab.folder / 'site'}",
        "PATH": f"{python.parent}:{OWN}:{os.environ['PATH']}",
    }


def test_jug(lab: Lab) -> None:
    pytest.importorskip("jug", reason="jug is not installed")
    example(lab, "jug_primes.py")
    lab.machine("lab01")
    lab.environ |= {"PATH": f"{OWN}:{os.environ['PATH']}", "VIRTUAL_ENV": str(OWN.parent)}
    ids = run(lab, "mlq", "jug", "jug_primes.py", "--workers", "2", "--mem", "200M", "--wait")
    logs = "".join(lab.log(job).decode() for job in ids.split())
    assert "\n21221 primes below 240000\n" in f"\n{logs}"


def test_submitit(lab: Lab) -> None:
    python = users_python("submitit==1.5.4", "typing_extensions", "pytest>=8.3")
    with_plugins(
        lab,
        python,
        "[submitit]",
        "executor = mlq_submitit.executor:MlqExecutor",
        "job_environment = mlq_submitit.environment:MlqJobEnvironment",
    )
    file = example(lab, "submitit_train.py")
    lab.machine("lab01")
    said = run(lab, python, file)
    assert "['1_0', '1_1']\n[0.8, 0.08]\n" in said


def test_hydra(lab: Lab) -> None:
    python = users_python("hydra-core==1.3.8", "cloudpickle>=3.1", "pytest>=8.3")
    with_plugins(lab, python)
    file = example(lab, "hydra_train.py")
    lab.machine("lab01")
    words = ("-m", "hydra/launcher=mlq", "hydra.launcher.mem=100M", "lr=0.1,10")
    said = run(lab, python, file, *words, code=1)
    assert "ValueError: the loss is 1024" in said
    assert "1 finished, 1 failed" in said


def test_slurms_commands(lab: Lab) -> None:
    file = example(lab, "slurm_commands.sh")
    lab.machine("lab01")
    lab.environ["PATH"] = f"{OWN}:{os.environ['PATH']}"
    said = run(lab, file)
    assert said == ("Submitted batch job 2\n1|COMPLETED|example\nrank 0 of 2\nrank 1 of 2\n")


def test_pilots(lab: Lab, slurm: SlurmCluster) -> None:
    file = example(lab, "pilots.sh")
    path = f"{OWN}:{os.environ['PATH']}:/usr/sbin:/sbin"
    lab.environ.update({**slurm.environment, "PATH": path})
    try:
        said = run(lab, file, "-c", "2", "--mem=2000")
    finally:
        slurm.cancel("--user=root")
    assert re.search(r"^1  +finished .* slurm-\d+ ", said, re.MULTILINE), said
    assert [one["state"] for one in json.loads(lab.sandbox.ok("pilot", "ls", "--json"))] == [
        "stopped"
    ]
