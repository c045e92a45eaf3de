"""Jobs run the code as it was when they were enqueued, whatever becomes of it meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_lab import Lab, new_lab
from sandbox import MLQ
from waiting import wait_for

pytestmark = pytest.mark.slow

TRAIN = """
import os, pathlib, sys, time
data = pathlib.Path(__file__).resolve().parents[1] / "data"
print("first", os.getcwd().endswith("work/sub"), (data / "x").read_text(), flush=True)
saved = pathlib.Path("last.ckpt")
if saved.exists():
    sys.exit(print("goes on from", saved.read_text()))
saved.write_text("epoch 3")
gate = pathlib.Path(os.environ["GATE"])
while not gate.exists():
    time.sleep(0.05)
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with new_lab() as lab:
        lab.environ["MLQ_SNAPSHOT"] = "true"
        lab.environ["GATE"] = str(lab.folder / "gate")
        yield lab


@pytest.fixture
def project(lab: Lab) -> Path:
    """A project with code in git, and data that git ignores."""
    folder = lab.folder / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data" / "x").write_text("live data")
    (folder / ".gitignore").write_text("data\n")
    (folder / "sub" / "train.py").write_text(TRAIN)
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def enqueue(lab: Lab, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [MLQ, "enqueue", *words],
        env=lab.environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_job_runs_what_was_there_and_goes_on_with_its_checkpoint(lab: Lab, project: Path) -> None:
    job = enqueue(lab, project / "sub", "--", "python3", "train.py")
    (project / "sub" / "train.py").write_text("raise SystemExit('edited')")
    first = lab.machine("lab01")
    work = lab.layout.job_dir(job) / "work"
    wait_for((work / "sub" / "last.ckpt").exists, what="the checkpoint")
    assert (work / "data" / "x").read_text() == "live data"
    first.cut_power()
    lab.machine("lab02")
    lab.until(job, "finished", attempt=2)
    assert lab.log(job, 1) == b"first True live data\n"
    assert lab.log(job, 2) == b"first True live data\ngoes on from epoch 3\n"
    wait_for(lambda: not (work / "sub" / "train.py").exists(), what="the copy to be cleared up")
    wait_for(lambda: _files(work) == ["sub/last.ckpt"], what="only what the job made to stay")
    assert (project / "data" / "x").exists()


def _files(folder: Path) -> list[str]:
    return [str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir()]


def test_a_job_that_misses_a_file_is_told_why(lab: Lab, project: Path) -> None:
    lab.machine("lab01")
    (lab.folder / "beside").write_text("x")
    job = enqueue(lab, project, "--", "cat", "../beside")
    seen = wait_for(lambda: (one := lab.job(job)).state == "failed" and one, what="its failure")
    assert "No such file" in seen.reason
    (shown,) = json.loads(lab.sandbox.ok("show", "--json", job))
    assert any("--in-place" in note for note in shown["notes"]), shown["notes"]
