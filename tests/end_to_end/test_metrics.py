"""Metrics of jobs that know nothing of mlq, from their files to Redis, result.json and commands."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from local_lab import PATIENT, Lab, Machine, children_of, new_lab
from waiting import wait_for

pytestmark = pytest.mark.slow

TRAIN = """
import json, os, sys, time
gate, steps = sys.argv[1], int(sys.argv[2])
out = open(os.environ["MLQ_PROGRESS_FILE"], "a")
for step in range(1, steps + 1):
    print(json.dumps({"progress": step / 10, "step": step, "loss": 1 / step}), file=out, flush=True)
while not os.path.exists(gate):
    time.sleep(0.02)
for step in range(steps + 1, 11):
    print(json.dumps({"progress": step / 10, "step": step, "loss": 1 / step}), file=out, flush=True)
"""


def shown(lab: Lab, job_id: str) -> dict[str, Any]:
    """Return what `mlq show --json` says of a job."""
    (found,) = json.loads(lab.sandbox.ok("show", job_id, "--json"))
    return dict(found)


def train(lab: Lab, gate: str, steps: int = 3, **options: Any) -> str:
    script = lab.folder / "train.py"
    script.write_text(TRAIN)
    words = ("python3", str(script), str(lab.folder / gate), str(steps))
    return lab.sandbox.submit(*words, **options)


def collector_of(machine: Machine) -> int:
    """Return the collector's process, once there is one."""

    def found() -> int | None:
        for pid in children_of(machine.pid("worker")):
            if b"mlq_worker.collector" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    return wait_for(found, what="the collector to run")


def test_metrics_of_a_job_survive_worker_and_collector() -> None:
    with new_lab(MLQ_METRICS_S="1", **PATIENT) as lab:
        machine = lab.machine("lab01")
        job = train(lab, "gate")
        wait_for(lambda: shown(lab, job)["metrics"].get("loss", {}).get("last_step") == 3)
        assert lab.job(job).progress == 0.3
        os.kill(collector_of(machine), signal.SIGKILL)
        machine.kill("worker")
        machine.start()
        lab.open("gate")
        done = lab.until(job, "finished")
        assert done.progress == 1.0
        loss = {"last": 0.1, "last_step": 10, "min": 0.1, "min_step": 10, "max": 1, "max_step": 1}
        assert shown(lab, job)["metrics"]["loss"] == loss
        folder = lab.layout.attempt_dir(job, 1)
        assert "loss" in json.loads((folder / "result.json").read_bytes())["metrics"]
        assert len((folder / "metrics.jsonl").read_bytes().splitlines()) == 10
        assert len((folder / "usage.jsonl").read_bytes().splitlines()) >= 1
        text = lab.sandbox.ok("show", job)
        assert "METRIC" in text


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
