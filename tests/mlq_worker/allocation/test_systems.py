"""An allocation is recognised, and what it grants is read; a number that is none is not told."""

from __future__ import annotations

import pytest

from mlq.files.paths import checked_machine
from mlq_worker.allocation.systems import Allocation, notice, size_mib

# As Slurm 22.05 gave them to a batch script of --cpus-per-task=4 --mem=8000 --gpus=1.
SLURM = {
    "SLURM_JOB_ID": "1234",
    "SLURMD_NODENAME": "node7",
    "SLURM_CPUS_ON_NODE": "4",
    "SLURM_MEM_PER_NODE": "8000",
    "SLURM_STEP_NUM_TASKS": "1",
    "SLURM_PROCID": "0",
    "CUDA_VISIBLE_DEVICES": "1",
}
PBS = {"PBS_JOBID": "77[3].head.example", "NCPUS": "8", "PBS_ENVIRONMENT": "PBS_BATCH"}
JOB_AD = 'ClusterId = 45\nProcId = 2\nRequirements = (Arch == "X86_64")\nCmd = "/bin/sh"\n'
MACHINE_AD = 'Cpus = 3\nMemory = 6144\nName = "slot1_1@node7"\n'


def test_slurm() -> None:
    assert notice(SLURM, {}) == Allocation("slurm", "1234", 4, 8000, "1")


def test_slurm_that_grants_memory_by_the_core() -> None:
    variables = {**SLURM, "SLURM_MEM_PER_CPU": "1500"}
    del variables["SLURM_MEM_PER_NODE"]
    found = notice(variables, {})
    assert found is not None
    assert found.mem_mib == 6000


def test_the_shell_that_salloc_opens_on_a_login_node_is_none() -> None:
    variables = {**SLURM}
    del variables["SLURMD_NODENAME"]
    assert notice(variables, {}) is None


def test_tasks_of_one_step_have_names_and_shares_of_their_own() -> None:
    tasks = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "2(x2)"}
    found = notice({**SLURM, **tasks, "SLURM_PROCID": "1"}, {})
    assert found is not None
    assert (found.name, found.cores, found.mem_mib) == ("slurm-1234.1", 2, 4000)


def test_pbs() -> None:
    found = notice(PBS, {})
    assert found == Allocation("pbs", "77[3].head.example", 8)
    assert checked_machine(found.name) == "pbs-77-3-.head.example"


def test_condor() -> None:
    variables = {"_CONDOR_JOB_AD": "/x/.job.ad", "_CONDOR_MACHINE_AD": "/x/.machine.ad"}
    files = {"_CONDOR_JOB_AD": JOB_AD, "_CONDOR_MACHINE_AD": MACHINE_AD}
    found = notice({**variables, "CUDA_VISIBLE_DEVICES": "10000"}, files)
    assert found == Allocation("condor", "45.2", 3, 6144, "10000")
    assert found.name == "condor-45.2"


def test_condor_whose_files_cannot_be_read() -> None:
    found = notice({"_CONDOR_JOB_AD": "/gone", "_CONDOR_SLOT": "slot1_1"}, {})
    assert found == Allocation("condor", "slot1_1")


def test_a_job_of_mlq_made_of_a_job_file_is_none() -> None:
    assert notice({**SLURM, "SLURM_CLUSTER_NAME": "mlq"}, {}) is None
    assert notice({**PBS, "PBS_JOBID": "77.mlq"}, {}) is None


def test_nothing_around() -> None:
    assert notice({"HOME": "/home/ada", "SLURM_CONF": "/etc/slurm.conf"}, {}) is None


@pytest.mark.parametrize("text", ["", "many", "-3", "0", "1e9", "9" * 40])
def test_a_number_that_is_none_is_not_told(text: str) -> None:
    found = notice({**SLURM, "SLURM_CPUS_ON_NODE": text, "SLURM_MEM_PER_NODE": text}, {})
    assert found is not None
    assert (found.cores, found.mem_mib) == (None, None)


def test_a_name_is_never_too_long() -> None:
    found = notice({**SLURM, "SLURM_JOB_ID": "9" * 200}, {})
    assert found is not None
    checked_machine(found.name)


@pytest.mark.parametrize(
    ("text", "mib"),
    [("4gb", 4096), ("8388608kb", 8192), ("1048576", 1), ("1tb", 2**20), ("4 apples", None)],
)
def test_sizes_of_pbs(text: str, mib: int | None) -> None:
    assert size_mib(text) == mib
