"""Parsl and Snakemake's Slurm executor, unchanged, on mlq."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from slurm_user import SlurmUser
from users_python import users_python

SNAKEMAKE = "MLQ_TEST_SNAKEMAKE_PYTHON"
"""A Python with snakemake and snakemake-executor-plugin-slurm."""

pytestmark = [pytest.mark.slow, pytest.mark.one_server]

PARSL = """
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider

@parsl.python_app
def double(number):
    return 2 * number

provider = SlurmProvider(partition="gpu", account="me", walltime="00:10:00", nodes_per_block=1,
                         cores_per_node=2, mem_per_node=1, init_blocks=1, max_blocks=1,
                         exclusive=False, launcher=SrunLauncher())
executor = HighThroughputExecutor(address="127.0.0.1", max_workers_per_node=2, provider=provider)
with parsl.load(Config(executors=[executor])):
    print([double(number).result(timeout=80) for number in (20, 21)], flush=True)
    print([one.state.name for one in provider.status(["1"])])
"""
SNAKEFILE = """
rule all:
    input: "two"

rule one:
    output: "one"
    resources: runtime=5, mem_mb=300, slurm_partition="gpu", slurm_account="me"
    shell: "echo $SLURM_JOB_ID > {output}"

rule two:
    input: "one"
    output: "two"
    resources: runtime=5, mem_mb=300
    shell: "cat {input} > {output}"
"""


def test_parsl(user: SlurmUser) -> None:
    python = users_python("parsl==2026.10.26")
    (user.folder / "double.py").write_text(PARSL)
    assert user.run(python, "double.py").split("\n")[:2] == ["[40, 42]", "['RUNNING']"]
    user.lab.until("1", "canceled")


@pytest.mark.skipif(SNAKEMAKE not in os.environ, reason="to install Snakemake takes minutes")
def test_snakemake(user: SlurmUser) -> None:
    python = Path(os.environ[SNAKEMAKE])
    (user.folder / "Snakefile").write_text(SNAKEFILE)
    words = ("--executor", "slurm", "--jobs", "2", "--seconds-between-status-checks", "2")
    user.run(python, "-m", "snakemake", *words, "--slurm-init-seconds-before-status-checks=1")
    assert (user.folder / "two").read_text().strip().isdecimal()
