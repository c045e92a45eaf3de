"""Jobs kept to what they asked for: real workers, real memory, the stand-in for NVML."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from fake_nvml import FakeGpu, FakeNvml, FakeProcess
from local_lab import Lab
from memory_cgroups import limited
from waiting import wait_for

CARD = "GPU-aaaaaaaa-0000-0000-0000-000000000001"
# Forks, so that the one that takes memory is in a session of its own and ignores SIGTERM.
TAKES = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os.wait()
    print("done", flush=True)
    sys.exit()
os.setsid()
mib = int(sys.argv[1])
held = [b"x" * (1 << 20) for _ in range(mib)]
print("holds", mib, flush=True)
while mib > 200: signal.pause()
"""


def takes(lab: Lab, **options: object) -> str:
    script = lab.folder / "takes.py"
    script.write_text(TAKES)
    return lab.sh(f"exec {sys.executable} takes.py 250", **options)


def until_it_holds(lab: Lab, job: str) -> None:
    log = Path(lab.layout.log_file(job, 1))
    wait_for(lambda: log.exists() and b"holds 250" in log.read_bytes(), what="what it holds")


def test_memory_asked_for_is_a_limit(lab: Lab) -> None:
    lab.machine("lab01", "--mem", "20G")
    job = takes(lab, mem="100M")
    ended = lab.until(job, "failed")
    assert re.fullmatch(r"took \d+M of the 100M of memory it asked for", ended.reason)
    assert (ended.attempt, ended.losses) == (1, 0)
    result = json.loads(Path(lab.layout.result_file(job, 1)).read_text())
    assert result["outcome"] == "overstepped"
    assert result["cause"]["kind"] == "oom_own"
    assert not result["shortage"]["of_gpu"]
    assert result["shortage"]["used_mib"] >= 150
    assert lab.processes(job) == []


def test_who_oversteps_is_tried_with_more_where_its_user_asked_for_that(lab: Lab) -> None:
    lab.machine("lab01", "--mem", "20G")
    script = 'if [ "$MLQ_ATTEMPT" = 1 ]; then set 250; else set 5; fi; '
    (lab.folder / "takes.py").write_text(TAKES)
    job = lab.sh(f"{script} exec {sys.executable} takes.py $1", mem="100M", retry_oom=True)
    ended = lab.until(job, "finished", attempt=2)
    assert ended.mem_mib > 150
    assert (ended.failures, ended.losses) == (0, 0)
    assert "M of the 100M of memory it asked for; trying with " in lab.ends(job)[0]


def test_the_default_is_only_a_promise_and_limits_can_be_switched_off(lab: Lab) -> None:
    lab.machine("lab01", "--mem", "20G")
    (lab.folder / "takes.py").write_text(TAKES)
    promised = takes(lab)
    free = lab.machine("lab02", "--mem", "20G", environ={"MLQ_ENFORCE": "cores,vram"})
    unlimited = takes(lab, mem="100M", machine="lab02")
    for job in (promised, unlimited):
        until_it_holds(lab, job)
    free.until_beats(20)
    assert lab.sandbox.run("cancel", promised, unlimited).code == 0
    assert {lab.until(one, "canceled").attempt for one in (promised, unlimited)} == {1}


def test_who_the_kernel_kills_within_its_limit_is_handed_back(lab: Lab) -> None:
    lab.machine("lab01", "--mem", "20G")
    with limited(60) as procs:
        enter = f'if [ "$MLQ_ATTEMPT" = 1 ]; then echo $$ > {procs}; fi'
        command = f'{sys.executable} -c "held = bytearray(100 << 20)"'
        job = lab.sh(f"{enter}; exec {command}", mem="900M", retries=1)
        ended = lab.until(job, "finished", attempt=2)
    assert (ended.attempt, ended.failures, ended.losses) == (2, 0, 0)
    assert re.fullmatch(
        r"handed back: lab01 ran out of memory; others used [\d.]+[MG]", lab.ends(job)[0]
    )


def until_it_runs(lab: Lab, job: str) -> int:
    lab.until(job, "started")
    return wait_for(lambda: lab.processes(job), what="its processes")[0].pid


def test_gpu_memory_asked_for_is_a_limit(lab: Lab, tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path)
    nvml.write(FakeGpu(CARD))
    lab.machine("lab01", "--gpus", "all", environ=nvml.env)
    wait = "until [ -e end ]; do sleep 0.05; done"
    greedy = lab.sh(wait, gpus=1, vram="4000M")
    modest = lab.sh(wait, gpus=1, vram="4000M")
    pids = [until_it_runs(lab, job) for job in (greedy, modest)]
    nvml.write(
        FakeGpu(CARD),
        FakeProcess(gpu=0, pid=pids[0], used_mib=5700),
        FakeProcess(gpu=0, pid=pids[1], used_mib=4700),
    )
    ended = lab.until(greedy, "failed")
    assert ended.reason == "took 5.6G of the 3.9G of GPU memory it asked for"
    nvml.write(FakeGpu(CARD), FakeProcess(gpu=0, pid=pids[1], used_mib=4700))
    assert lab.job(modest).state == "started"
    lab.open("end")
    lab.until(modest, "finished")
