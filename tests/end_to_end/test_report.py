"""A job reports from an environment that has no mlq, and what it used says when its log grew."""

from __future__ import annotations

import json
import venv
from pathlib import Path

import pytest
from git_projects import repository
from local_lab import PATIENT, new_lab

from mlq.metrics.usage import log_sizes

pytestmark = pytest.mark.slow

TRAIN = """
import sys, time
import helper
from mlq import report
for step in range(1, 9):
    report(step=step, total=8, loss=1 / step)
    print(step, flush=True)
    time.sleep(0.3)
print(sys.modules["mlq"].__file__, helper.__file__)
"""


@pytest.mark.parametrize("copied", [True, False])
def test_a_job_reports_without_an_installation(tmp_path: Path, copied: bool) -> None:
    prefix, project = tmp_path / "venv", tmp_path / "project"
    venv.create(prefix, symlinks=True)
    repository(project, {"train.py": TRAIN, "helper.py": ""})
    with new_lab(MLQ_METRICS_S="1", MLQ_SNAPSHOT=str(copied).lower(), **PATIENT) as lab:
        lab.machine("lab01")
        words = (str(prefix / "bin" / "python"), "train.py")
        job = lab.sandbox.ok("enqueue", "--cwd", str(project), "--", *words).strip()
        assert lab.until(job, "finished").progress == 1.0
        module, helper = lab.log(job).decode().splitlines()[-1].split()
        assert module.endswith("/jobs/standalone/mlq.py")
        assert helper.startswith(str(lab.layout.job_dir(job) if copied else project))
        (shown,) = json.loads(lab.sandbox.ok("show", job, "--json"))
        assert shown["metrics"]["loss"]["last"] == 1 / 8
        assert shown["metrics"]["loss"]["last_step"] == 8
        usage = lab.layout.attempt_dir(job, 1) / "usage.jsonl"
        sizes = [size for _, size in log_sizes(usage.read_bytes())]
        assert sizes == sorted(sizes)
        assert len(sizes) >= 1
