"""What a job is told of itself in the words of Slurm and PBS."""

from __future__ import annotations

from typing import Any

from mlq.jobs.batch_job import BatchJob, Streams
from mlq.jobs.request import Request
from mlq.jobs.spec import JobSpec, Member
from mlq_worker.agent.batch_environment import Attempt, Here, batch_order, batch_variables

HERE = Here("lab01", "ann", 1000, 100)


def spec(job_id: str = "42", cores: int = 4, **more: Any) -> JobSpec:
    return JobSpec(
        id=job_id,
        argv=("train.sh",),
        cwd="/work",
        submitted_at="",
        request=Request(cores=cores, mem_mib=512),
        **more,
    )


def variables(job: JobSpec, attempt: int = 1, here: Here = HERE, gpus: int = 0) -> dict[str, str]:
    env = {"PATH": "/usr/bin", "HOME": "/home/ann", "SLURM_JOB_ID": "7"}
    return batch_variables(job, Attempt(attempt, gpus, "/root/nodes"), here, env)


def test_a_job_of_mlqs_own_gets_none() -> None:
    assert variables(spec()) == {}


def test_what_a_real_slurm_sets_is_set() -> None:
    batch = BatchJob(system="slurm", submit_host="login", submit_dir="/sub")
    found = variables(spec(name="train", batch=batch))
    # Of `env` in a job of Slurm 22.05; without addresses of its own daemons.
    assert set(found) == {
        *("SLURMD_NODENAME", "SLURM_CLUSTER_NAME", "SLURM_CPUS_ON_NODE", "SLURM_GTIDS"),
        *("SLURM_JOBID", "SLURM_JOB_CPUS_PER_NODE", "SLURM_JOB_GID", "SLURM_JOB_ID"),
        *("SLURM_JOB_NAME", "SLURM_JOB_NODELIST", "SLURM_JOB_NUM_NODES", "SLURM_JOB_PARTITION"),
        *("SLURM_JOB_UID", "SLURM_JOB_USER", "SLURM_LOCALID", "SLURM_NNODES", "SLURM_NODEID"),
        *("SLURM_NODELIST", "SLURM_PROCID", "SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST"),
        *("SLURM_TASKS_PER_NODE", "SLURM_TOPOLOGY_ADDR", "SLURM_TOPOLOGY_ADDR_PATTERN"),
        "SLURM_UMASK",
        *("SLURM_MEM_PER_NODE", "SLURM_CPUS_PER_TASK"),
    }
    assert found["SLURM_JOB_ID"] == found["SLURM_JOBID"] == "42"
    assert found["SLURM_SUBMIT_DIR"] == "/sub"
    assert found["SLURM_CPUS_PER_TASK"] == "4"


def test_some_are_set_only_if_they_mean_something() -> None:
    batch = BatchJob(system="slurm", tasks=2, cpus_per_task=2, partition="gpu")
    found = variables(spec(batch=batch), 3, HERE._replace(shims="/shims"), gpus=2)
    assert found["SLURM_NTASKS"] == found["SLURM_NPROCS"] == found["SLURM_TASKS_PER_NODE"] == "2"
    assert found["SLURM_CPUS_PER_TASK"] == "2"
    assert found["SLURM_GPUS_ON_NODE"] == "2"
    assert found["SLURM_RESTART_COUNT"] == "2"
    assert found["SLURM_JOB_PARTITION"] == "gpu"
    assert found["PATH"] == "/shims:/usr/bin"


def test_a_member_of_an_array_has_a_number_of_its_own() -> None:
    member = Member(name="a", key="k", params={"array": "6"})
    job = spec("42_6", member=member, batch=BatchJob(system="slurm", array="0-9:3"))
    found = variables(job)
    assert {name: one for name, one in found.items() if "ARRAY" in name} == {
        "SLURM_ARRAY_JOB_ID": "42",
        "SLURM_ARRAY_TASK_COUNT": "4",
        "SLURM_ARRAY_TASK_ID": "6",
        "SLURM_ARRAY_TASK_MAX": "9",
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_STEP": "3",
    }
    assert found["SLURM_JOB_ID"] == "42000000006"


def test_a_member_of_a_pbs_array() -> None:
    member = Member(name="a", key="k", params={"array": "6"})
    job = spec("42_6", member=member, batch=BatchJob(system="pbs", array="0-9"))
    found = variables(job)
    assert found["PBS_JOBID"] == "42[6].mlq"
    assert found["PBS_ARRAY_INDEX"] == "6"
    assert found["PBS_O_HOME"] == "/home/ann"
    assert found["PBS_NODEFILE"] == "/root/nodes"


def test_files_have_their_patterns_filled_in_and_one_name_is_one_file() -> None:
    streams = Streams(output="/w/%x-%j-%N.out", error="/w/%x-%j-lab01.out", appends=True)
    made = batch_order(spec(name="t", streams=streams), HERE)
    assert made is not None
    assert (made.output, made.error, made.appends) == ("/w/t-42-lab01.out", "", True)
    assert batch_order(spec(), HERE) is None


def test_only_pbs_has_a_file_of_nodes() -> None:
    made = batch_order(spec(batch=BatchJob(system="pbs", tasks=2)), HERE)
    assert made is not None
    assert made.nodes == "lab01\nlab01\n"
    assert batch_order(spec(batch=BatchJob(system="slurm")), HERE) is None
