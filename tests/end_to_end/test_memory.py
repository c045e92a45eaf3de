"""Memory of the past, and memory that runs out: real jobs, a real limit, the stand-in for NVML."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fake_nvml import FakeGpu, FakeNvml, FakeProcess
from local_lab import Lab
from memory_cgroups import limited
from waiting import wait_for

from mlq.jobs.view import JobView

CARD = "GPU-aaaaaaaa-0000-0000-0000-000000000001"
GROW = "import sys; held = bytearray(int(sys.argv[1]) << 20); print('done')"
# What PyTorch says, of a job that had and wanted 5000 MiB.
TORCH = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1000.00 MiB. GPU 0 has a total "
    "capacity of 10.74 GiB of which 0 bytes is free. Including non-PyTorch memory, this process "
    "has 3.91 GiB memory in use."
)


def test_a_job_that_the_kernel_kills_is_tried_with_more_memory(lab: Lab) -> None:
    lab.machine("lab01", "--mem", "20G")
    with limited(60) as procs:
        enter = f'if [ "$MLQ_ATTEMPT" = 1 ]; then echo $$ > {procs}; fi'
        job = lab.sh(f'{enter}; exec {sys.executable} -c "{GROW}" 200', mem="50M", retry_oom=True)
        ended = lab.until(job, "finished", attempt=2)
    first, _ = lab.ends(job)
    assert first.startswith("out of memory: it used "), first
    assert first.endswith(" of the 50 MiB it had asked for; trying with 75 MiB (1 of 2)"), first
    assert (ended.mem_mib, ended.failures, ended.losses) == (75, 0, 0)
    kept = json.loads((Path(lab.layout.folder(job).path) / "job.json").read_text())
    assert kept["spec"]["request"]["mem_mib"] == 75


def test_a_kill_by_hand_is_no_lack_of_memory(lab: Lab) -> None:
    lab.machine("lab01")
    job = lab.sh("kill -9 $$", retry_oom=True)
    again = lab.sh("exit 137", retry_oom=True)
    for one in (job, again):
        ended = lab.until(one, "failed")
        assert ended.attempt == 1
        assert not ended.reason.startswith("out of memory")


def test_gpu_memory_that_a_job_or_its_neighbour_took(lab: Lab, tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path)
    nvml.write(FakeGpu(CARD))
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    (lab.folder / "torch.txt").write_text(TORCH + "\n")
    fails = 'if [ "$MLQ_ATTEMPT" = 1 ]; then cat torch.txt >&2; exit 1; fi'
    shown = f'{fails}; echo "$XLA_PYTHON_CLIENT_PREALLOCATE $TF_FORCE_GPU_ALLOW_GROWTH"'
    greedy = lab.sh(shown, gpus=1, vram="4000M", retry_oom=True)
    modest = lab.sh(fails, gpus=1, vram="6000M", retries=0)
    ended = lab.until(greedy, "finished", attempt=2)
    assert (ended.vram_mib, ended.failures) == (6000, 0)
    assert lab.ends(greedy)[0] == (
        "out of GPU memory: it used 4.9 of the 3.9 GiB it had asked for; "
        "trying with 5.9 GiB (1 of 2)"
    )
    assert lab.log(greedy, 2) == b"false true\n"
    ended = lab.until(modest, "finished", attempt=2)
    assert (ended.vram_mib, ended.failures) == (6000, 0)
    assert lab.ends(modest)[0] == (
        "out of GPU memory, but it used 4.9 of the 5.9 GiB it had asked for: others took the rest; "
        "trying elsewhere (1 of 5)"
    )


def test_no_job_asks_for_more_than_the_only_machine_has(lab: Lab, tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path)
    nvml.write(FakeGpu(CARD, total_mib=4400, reserved_mib=100))
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    (lab.folder / "torch.txt").write_text(TORCH + "\n")
    job = lab.sh("cat torch.txt; exit 1", gpus=1, vram="3900M", retry_oom=True)
    ended = lab.until(job, "failed")
    assert ended.reason == (
        "out of GPU memory: it used 4.9 of the 3.8 GiB it had asked for; no machine has more"
    )


def test_memory_follows_from_what_finished_runs_used(lab: Lab) -> None:
    lab.machine("lab01", "--mem", "20G")
    script = lab.folder / "train.py"
    script.write_text(GROW)
    sandbox = lab.sandbox

    def enqueue(*words: str) -> tuple[str, str]:
        done = sandbox.run("enqueue", "--mem", "auto", "--", sys.executable, "train.py", *words)
        assert done.code == 0, done.err
        return done.out.strip(), done.err

    job, said = enqueue("150", "--seed", "1")
    assert "memory: the default, for no run of this command has finished" in said
    lab.until(job, "finished")
    job, said = enqueue("150", "--seed", "2")
    assert "from 1 finished run with the same parameters" in said
    asked = lab.job(job).mem_mib
    assert 192 <= asked <= 256
    job, said = enqueue("10")
    assert "from 1 finished run of this command" in said or "from 2 finished runs" in said
    done = sandbox.run("enqueue", "--json", "-m", "auto", "--", sys.executable, "train.py", "150")
    assert json.loads(done.out)[0]["chosen"][0].startswith("memory: ")


def test_gpu_memory_follows_from_what_finished_runs_had(lab: Lab, tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path)
    nvml.write(FakeGpu(CARD))
    machine = lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    (lab.folder / "train.sh").write_text(
        'echo "$XLA_PYTHON_CLIENT_PREALLOCATE"; until [ -e end ]; do sleep 0.05; done\n'
    )
    told: list[str] = []
    lab.queue.tell = told.append
    command = ["sh", "train.sh", "--lr", "0.1"]

    def enqueue(*more: str) -> JobView:
        asked = {"gpus": 1, "vram": "auto", "cwd": str(lab.folder), "python_env": ""}
        return lab.queue.enqueue([*command, *more], **asked).view()  # type: ignore[arg-type]

    first = enqueue()
    assert first.vram_mib == 0
    assert "a whole GPU, for no run of this command has finished on such a GPU" in told[-1]
    lab.until(first.id, "started")
    leader = wait_for(lambda: lab.processes(first.id), what="its processes")[0].pid
    nvml.write(FakeGpu(CARD), FakeProcess(gpu=0, pid=leader, used_mib=3000))
    lab.until_shown("lab01", lambda row: row["gpus"][0]["free_mib"] <= 11000 - 3000)
    machine.until_beats(10)
    lab.open("end")
    lab.until(first.id, "finished")
    assert lab.log(first.id) == b"false\n"
    second = enqueue("--seed", "2")
    assert told[-1] == "GPU memory: 3.4G, from 1 finished run with the same parameters"
    assert second.vram_mib == 3456
    report = lab.queue.sweep(
        [*command, "--seed", "{seed}"],
        seeds=2,
        gpus=1,
        vram="auto",
        cwd=str(lab.folder),
        python_env="",
    )
    assert report.chosen == ("GPU memory: 3.4G, from 1 finished run with the same parameters",)
    assert {one.vram_mib for one in lab.queue.views(report.ids)} == {3456}
