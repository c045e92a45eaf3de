"""GPUs from NVML to CUDA_VISIBLE_DEVICES: the stand-in library through the real pynvml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_nvml import (
    DRIVER_NOT_LOADED,
    EXCLUSIVE_PROCESS,
    GPU_IS_LOST,
    LIB_RM_VERSION_MISMATCH,
    FakeGpu,
    FakeNvml,
    FakeProcess,
)
from leftovers import processes_of
from local_lab import Lab, alive
from waiting import wait_for

A, B = "GPU-aaaaaaaa-0000-0000-0000-000000000001", "GPU-bbbbbbbb-0000-0000-0000-000000000002"
WAIT = "until [ -e end ]; do sleep 0.05; done"
SHOW = f'echo "$CUDA_VISIBLE_DEVICES"; {WAIT}'


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvml:
    """Two idle GPUs, 11000 MiB free on each."""
    nvml = FakeNvml(tmp_path)
    nvml.write(FakeGpu(A), FakeGpu(B))
    return nvml


def visible(lab: Lab, job_id: str) -> str:
    """Return the GPUs that a job of `SHOW` sees."""
    lab.until(job_id, "started")
    path = lab.layout.log_file(job_id, 1)
    return wait_for(lambda: path.exists() and path.read_text(), what="its GPUs").strip()


def free_mib(row: dict[str, Any]) -> dict[str, int]:
    return {gpu["uuid"]: gpu["free_mib"] for gpu in row["gpus"]}


def test_small_jobs_share_a_gpu_and_leave_the_other_whole(lab: Lab, nvml: FakeNvml) -> None:
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    small = [lab.sh(SHOW, gpus=1, vram="4000") for _ in range(2)]
    assert [visible(lab, job) for job in small] == [A, A]
    lab.until_shown("lab01", lambda row: free_mib(row) == {A: 3000, B: 11000})


def test_a_gpu_that_takes_one_process_is_shared_with_nobody(lab: Lab, nvml: FakeNvml) -> None:
    nvml.write(FakeGpu(A, compute=EXCLUSIVE_PROCESS), FakeGpu(B, compute=EXCLUSIVE_PROCESS))
    lab.machine("lab01", "--cores", "4", "--gpus", "all", environ=nvml.env)
    small = [lab.sh(SHOW, gpus=1, vram="1000") for _ in range(3)]
    assert sorted(visible(lab, job) for job in small[:2]) == [A, B]
    lab.until_shown("lab01", lambda row: free_mib(row) == {A: 0, B: 0})
    assert "1 GPU with 1000M free needed, 0 of 2 free" in lab.sandbox.ok("explain", small[2])
    lab.open("end")
    lab.until(small[2], "finished")


def test_a_whole_gpu_is_shared_with_nobody(lab: Lab, nvml: FakeNvml) -> None:
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    small = lab.sh(SHOW, gpus=1, vram="4000")
    assert visible(lab, small) == A
    whole = lab.sh(SHOW, gpus=1)
    assert visible(lab, whole) == B
    lab.until_shown("lab01", lambda row: free_mib(row) == {A: 7000, B: 0})


def test_the_next_worker_keeps_what_the_last_one_promised(lab: Lab, nvml: FakeNvml) -> None:
    machine = lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    assert visible(lab, lab.sh(SHOW, gpus=1, vram="7000")) == A
    machine.kill("worker")
    machine.start()
    lab.until_shown("lab01", lambda row: free_mib(row) == {A: 4000, B: 11000})
    assert visible(lab, lab.sh(SHOW, gpus=1, vram="5000")) == B


def test_a_job_without_gpus_sees_none(lab: Lab, nvml: FakeNvml) -> None:
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    job = lab.sh('echo "[$CUDA_VISIBLE_DEVICES]" $CUDA_DEVICE_ORDER $OMP_NUM_THREADS', cores=2)
    lab.until(job, "finished")
    assert lab.log(job) == b"[] PCI_BUS_ID 2\n"


def test_a_job_may_have_several_gpus(lab: Lab, nvml: FakeNvml) -> None:
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    both = lab.sh(SHOW, gpus=2, vram="6000")
    assert visible(lab, both) == f"{A},{B}"


def test_only_the_chosen_gpus_are_given_away(lab: Lab, nvml: FakeNvml) -> None:
    lab.machine("lab01", "--gpus", "1", environ=nvml.env)
    assert visible(lab, lab.sh(SHOW, gpus=1, vram="100")) == B
    assert list(free_mib(lab.shown("lab01"))) == [B]


def test_a_neighbour_that_grows_keeps_new_jobs_away(lab: Lab, nvml: FakeNvml) -> None:
    machine = lab.machine("lab01", "--gpus", "0", environ=nvml.env)
    first = lab.sh(SHOW, gpus=1, vram="4000")
    visible(lab, first)
    neighbour = FakeProcess(gpu=0, pid=1, used_mib=5000)
    nvml.write(FakeGpu(A), FakeGpu(B), neighbour)
    # 6000 are free, of which 4000 are promised to the first job, which has allocated nothing yet.
    lab.until_shown("lab01", lambda row: free_mib(row) == {A: 2000})
    second = lab.sh(SHOW, gpus=1, vram="2001")
    lab.until(lab.sh("true"), "finished")
    machine.until_beats(3)
    assert lab.job(second).state == "queued"
    explained = lab.sandbox.ok("explain", second)
    assert "2001M of GPU memory needed, 2000M of 11G free" in explained
    # What our own job allocates is what it was promised, not more taken.
    own = FakeProcess(gpu=0, pid=lab.processes(first)[0].pid, used_mib=4000)
    nvml.write(FakeGpu(A), FakeGpu(B), FakeProcess(gpu=0, pid=1, used_mib=4999), own)
    assert visible(lab, second) == A


FAULTS = {
    "no driver": ({"init": DRIVER_NOT_LOADED, "query": DRIVER_NOT_LOADED}, "driver not loaded"),
    "version mismatch": (
        {"init": LIB_RM_VERSION_MISMATCH, "query": LIB_RM_VERSION_MISMATCH},
        "driver and library versions differ since an upgrade: reboot to repair",
    ),
    "GPU lost": ({}, "GPU 0 is lost: reboot to repair"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_while_a_job_runs_costs_no_more_than_the_gpus(
    lab: Lab, nvml: FakeNvml, kind: str
) -> None:
    machine = lab.machine("lab01", "--gpus", "0", environ=nvml.env)
    running = lab.sh(f"echo $$ >pid; {WAIT}", gpus=1, vram="1000")
    pid, worker = lab.pid("pid"), machine.pid("worker")
    codes, words = FAULTS[kind]
    lost = GPU_IS_LOST if kind == "GPU lost" else 0
    nvml.write(FakeGpu(A, result=lost), FakeGpu(B), **codes)
    shown = lab.until_shown("lab01", lambda row: row if row["gpu_fault"] else None)
    assert words in shown["gpu_fault"]
    assert (shown["gpus"], shown["offering"]) == ([], True)
    wants_gpu = lab.sh("exit 3", gpus=1, vram="1000")
    assert lab.until(lab.sh("true"), "finished").exit_code == 0
    machine.until_beats(3)
    assert lab.job(wants_gpu).state == "queued"
    assert alive(pid)
    assert machine.pid("worker") == worker
    nvml.write(FakeGpu(A), FakeGpu(B))
    assert lab.until(wants_gpu, "failed").reason == "exit 3"
    lab.open("end")
    assert lab.until(running, "finished").attempt == 1


def test_a_driver_that_hangs_stops_nothing_but_its_gpus(lab: Lab, nvml: FakeNvml) -> None:
    machine = lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    running = lab.sh(SHOW, gpus=1)
    visible(lab, running)
    nvml.write(FakeGpu(A), FakeGpu(B), hang=True)
    shown = lab.until_shown("lab01", lambda row: row if row["gpu_fault"] else None)
    assert "the NVIDIA driver has not answered for" in shown["gpu_fault"]
    assert (shown["gpus"], shown["offering"]) == ([], True)
    wants_gpu = lab.sh(SHOW, gpus=1)
    assert lab.until(lab.sh("true"), "finished").exit_code == 0
    lab.sandbox.ok("cancel", running)
    lab.until(running, "canceled")
    for words in (("explain", wants_gpu), ("machines",), ("worker", "status", "--name", "lab01")):
        assert (
            "no GPUs: the NVIDIA driver has not answered"
            in lab.sandbox.on_terminal(*words, columns=200).out
        )
    nvml.write(FakeGpu(A), FakeGpu(B))
    assert visible(lab, wants_gpu) in {A, B}
    nvml.write(FakeGpu(A), FakeGpu(B), hang=True)
    lab.until_shown("lab01", lambda row: row["gpu_fault"])
    machine.stop()
    wait_for(
        lambda: not any("gpu_reader" in one for one in processes_of(lab.folder).values()),
        what="the end of the process that asks the driver",
    )


def test_a_gpu_without_memory_numbers_is_one_jobs_at_a_time(lab: Lab, nvml: FakeNvml) -> None:
    nvml.write(FakeGpu(A, lacks=("memory", "processes")))
    lab.machine("lab01", "--cores", "4", "--gpus", "all", environ=nvml.env)
    first, second = lab.sh(SHOW, gpus=1), lab.sh(SHOW, gpus=1, vram="1000")
    assert visible(lab, first) == A
    row = lab.until_shown("lab01", lambda row: row if row["gpus"][0]["free_mib"] == 0 else None)
    assert row["gpu_note"] == "GPU 0 has no memory numbers: one job at a time gets it whole"
    assert row["gpu_note"] in lab.sandbox.ok("explain", second)
    lab.open("end")
    assert lab.until(second, "finished").attempt == 1


def test_a_job_may_be_told_its_gpus_by_number(lab: Lab, nvml: FakeNvml) -> None:
    environ = {**nvml.env, "MLQ_CUDA_DEVICES": "index"}
    lab.machine("lab01", "--gpus", "1", environ=environ)
    assert visible(
        lab, lab.sh(f'echo "$CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER"; {WAIT}', gpus=1)
    ) == ("1 PCI_BUS_ID")


def test_a_machine_without_a_driver_gives_its_cores(lab: Lab, nvml: FakeNvml) -> None:
    nvml.write(init=DRIVER_NOT_LOADED, query=DRIVER_NOT_LOADED)
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    wants_gpu = lab.sh("true", gpus=1)
    lab.until(lab.sh("true"), "finished")
    assert lab.job(wants_gpu).state == "queued"
    assert "driver not loaded" in lab.shown("lab01")["gpu_fault"]
