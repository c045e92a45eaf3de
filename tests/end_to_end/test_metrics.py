"""Metrics of jobs that know nothing of mlq, from their files to Redis, result.json and commands."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_nvml import FakeGpu, FakeNvml, FakeProcess
from local_lab import PATIENT, Lab, Machine, children_of, new_lab
from waiting import wait_for

from mlq.metrics.series import points_of

pytestmark = pytest.mark.slow

GPU = "GPU-aaaaaaaa-0000-0000-0000-000000000001"

# No line of it knows of mlq.
TRAIN = """
import os, sys, time

gate, steps, before = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for epoch in range(1, steps + 1):
    while epoch > before and not os.path.exists(gate):
        time.sleep(0.02)
    for batch in range(0, 101, 25):
        bar = "#" * (batch // 10)
        rest = f"{batch:3d}%|{bar:<10}| {batch}/100 [00:01<00:03, 50it/s]"
        sys.stderr.write(f"\\rEpoch {epoch}: {rest}")
    sys.stderr.write("\\n")
    print({"loss": 1 / epoch, "epoch": epoch}, flush=True)
    print(f"accuracy {epoch / steps}", flush=True)
"""


def shown(lab: Lab, job_id: str) -> dict[str, Any]:
    """Return what `mlq show --json` says of a job."""
    (found,) = json.loads(lab.sandbox.ok("show", job_id, "--json"))
    return dict(found)


def train(lab: Lab, **options: Any) -> str:
    """Enqueue a training of 10 epochs that goes on after the third once a gate is open."""
    script = lab.folder / "train.py"
    script.write_text(TRAIN)
    words = ("python3", str(script), str(lab.folder / "gate"), "10", "3")
    metrics = {"acc": "accuracy ([0-9.]+)"}
    return lab.sandbox.submit(*words, metrics=metrics, **options)


def until_measured(lab: Lab, job_id: str, metric: str, last: float) -> dict[str, Any]:
    """Wait until the last value of a metric is this one; return what is shown."""

    def reached() -> dict[str, Any] | None:
        found = shown(lab, job_id)
        return found if found["metrics"].get(metric, {}).get("last") == last else None

    return wait_for(reached, what=f"{metric} of {job_id} to be {last}")


def collector_of(machine: Machine) -> int:
    """Return the collector's process, once there is one."""

    def found() -> int | None:
        for pid in children_of(machine.pid("worker")):
            if b"mlq_worker.collector" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    return wait_for(found, what="the collector to run")


def test_a_script_that_knows_nothing_of_mlq_is_measured_through_crashes() -> None:
    with new_lab(MLQ_METRICS_S="1", **PATIENT) as lab:
        machine = lab.machine("lab01")
        job = train(lab)
        until_measured(lab, job, "acc", 0.3)
        os.kill(collector_of(machine), signal.SIGKILL)
        machine.kill("worker")
        machine.start()
        lab.open("gate")
        lab.until(job, "finished")
        found = shown(lab, job)
        loss, acc = found["metrics"]["loss"], found["metrics"]["acc"]
        assert (loss["last"], loss["min"], loss["max"]) == (0.1, 0.1, 1)
        assert (loss["last_step"], loss["max_step"]) == (10, 1)
        assert (acc["last"], acc["min"]) == (1, 0.1)
        assert found["used"]["samples"] >= 1
        folder = lab.layout.attempt_dir(job, 1)
        result = json.loads((folder / "result.json").read_bytes())
        assert {"metrics", "used"} <= result.keys()
        points = list(points_of((folder / "metrics.jsonl").read_bytes()))
        steps = [one.step for one in points if "loss" in one.values]
        assert steps == list(range(1, 11)), "none is lost, none is there twice"
        text = lab.sandbox.ok("show", job)
        assert re.search(r"^ +loss +0.1000 +10 +0.1000 +10 +1.000 +1 +█", text, re.MULTILINE)
        assert re.search(r"^ +cores ", text, re.MULTILINE)


def test_the_last_reading_is_done_by_the_next_worker() -> None:
    with new_lab(**PATIENT) as lab:
        machine = lab.machine("lab01")
        loss = """echo '{"loss": 0.5, "step": 7}'"""
        job = lab.sh(f"echo $$ > pid; until [ -e go ]; do sleep 0.05; done; {loss}")
        lab.pid("pid")
        machine.kill("worker")
        lab.open("go")
        wait_for(lambda: lab.layout.result_file(job, 1).exists(), what="its result")
        machine.start()
        lab.until(job, "finished")
        assert shown(lab, job)["metrics"]["loss"]["last_step"] == 7
        moment = lab.sh(loss)
        report = lab.sh("""echo '{"loss": 2}' >> $MLQ_PROGRESS_FILE""")
        for short, last in ((moment, 0.5), (report, 2)):
            lab.until(short, "finished")
            assert shown(lab, short)["metrics"]["loss"]["last"] == last


def test_what_a_job_does_on_its_gpu_is_sampled(tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path)
    nvml.write(FakeGpu(GPU))
    with new_lab(MLQ_METRICS_S="1", **PATIENT) as lab:
        lab.machine("lab01", "--gpus", "all", environ=nvml.env)
        job = lab.sh("echo $$ > pid; until [ -e end ]; do sleep 0.05; done", gpus=1, vram="4000")
        pid = lab.pid("pid")
        nvml.write(FakeGpu(GPU, busy=99), FakeProcess(0, pid, 3000, busy=25))
        wait_for(lambda: shown(lab, job)["used"].get("vram_mib") == 3000, what="its GPU memory")
        lab.open("end")
        lab.until(job, "finished")
        used = shown(lab, job)["used"]
        assert (used["vram_mib"], used["gpu_model"]) == (3000, "NVIDIA GeForce RTX 2080 Ti")
        assert 0 < used["gpu"] <= 0.25
        assert used["gpu_mib"] == FakeGpu(GPU).total_mib


# Runs as `sitecustomize` in the worker: a collector is given up after a second.
IMPATIENT = """
import sys
if "mlq_worker" in " ".join(sys.orig_argv) or "mlq" in sys.orig_argv[0]:
    from mlq_worker.agent.collector_child import CollectorChild
    CollectorChild.__init__.__kwdefaults__["silent_s"] = 1.5
"""


def test_a_pattern_that_never_ends_harms_only_its_own_job(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    with new_lab(MLQ_METRICS_S="1", **PATIENT) as lab:
        lab.machine("lab01", environ={"PYTHONPATH": str(tmp_path)})
        hangs = f"echo acc {'a' * 60}b; until [ -e end ]; do sleep 0.05; done"
        bad = lab.sh(hangs, metrics={"acc": "acc (a+)+$"})
        note = "its metrics are not read"
        wait_for(lambda: note in " ".join(shown(lab, bad)["notes"]), what="the note")
        good = lab.sh("""echo '{"loss": 0.5}'; until [ -e end ]; do sleep 0.05; done""")
        until_measured(lab, good, "loss", 0.5)
        lab.open("end")
        assert note in " ".join(lab.until(bad, "finished").notes)
        result = json.loads(lab.layout.result_file(bad, 1).read_bytes())
        assert note in " ".join(result["notes"])
        lab.until(good, "finished")


PLAIN = """
import csv, os, sys, time
from tqdm import tqdm
gate, table = sys.argv[1], sys.argv[2]
os.makedirs(os.path.dirname(table))
with open(table, "w", newline="") as out:
    rows = csv.writer(out)
    rows.writerow(["epoch", "step", "val_loss"])
    for epoch in tqdm(range(1, 11), mininterval=0, desc="epochs"):
        tqdm.write(str({"loss": str(1 / epoch), "epoch": str(float(epoch))}))
        tqdm.write(f"epoch {epoch}: accuracy {1 - 1 / epoch:.3f}")
        rows.writerow([epoch, epoch * 100, 2 / epoch])
        out.flush()
        while epoch == 4 and not os.path.exists(gate):
            time.sleep(0.02)
"""


def test_a_script_that_knows_nothing_of_mlq_has_progress_and_metrics() -> None:
    with new_lab(MLQ_METRICS_S="1", **PATIENT) as lab:
        lab.machine("lab01")
        script = lab.folder / "plain.py"
        script.write_text(PLAIN)
        words = ["--metric", "acc=accuracy ([0-9.]+)", "--env", "PYTHONUNBUFFERED=1", "--shell"]
        table = '"$MLQ_OUTPUT_DIR/lightning_logs/version_0/metrics.csv"'
        shell = f"exec {sys.executable} {script} {lab.folder}/gate {table}"
        job = lab.sandbox.ok("enqueue", *words, shell).strip()
        wait_for(lambda: shown(lab, job)["progress"] == 0.3)
        lab.open("gate")
        lab.until(job, "finished")
        metrics = shown(lab, job)["metrics"]
        assert (metrics["loss"]["last"], metrics["loss"]["last_step"]) == (0.1, 10)
        assert (metrics["val_loss"]["last"], metrics["val_loss"]["last_step"]) == (0.2, 1000)
        assert (metrics["acc"]["last"], metrics["acc"]["min_step"]) == (0.9, 1)
