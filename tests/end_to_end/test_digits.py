"""The example experiment: a run that was cut and resumed ends exactly as one left in peace."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ci import require

TRAIN = Path(__file__).parents[2] / "examples" / "digits" / "train.py"


@pytest.fixture(autouse=True)
def _scikit_learn() -> None:
    require(find_spec("sklearn"), "scikit-learn")


def train(folder: Path, epochs: int, **environ: str) -> str:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(TRAIN), "--lr", "0.01", "--epochs", str(epochs)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def weights(folder: Path) -> list[list[float]]:
    import numpy as np

    with np.load(folder / "weights.npz", allow_pickle=False) as saved:
        rows: list[list[float]] = saved["coef"].tolist()
        return rows


def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    at_once, in_parts = tmp_path / "at_once", tmp_path / "in_parts"
    train(at_once, epochs=5)
    train(in_parts, epochs=2)
    # What a power cut in the middle of writing leaves behind does no harm.
    (in_parts / "digits-lr0.01" / "checkpoint" / "weights.tmp").write_bytes(b"half a checkp")
    assert train(in_parts, epochs=5).startswith("resuming after epoch 2")
    ends = [weights(path / "digits-lr0.01" / "checkpoint") for path in (at_once, in_parts)]
    assert ends[0] == ends[1]


def test_inside_a_job_it_writes_where_mlq_says(tmp_path: Path) -> None:
    names = {"MLQ_CHECKPOINT_DIR": "checkpoint", "MLQ_OUTPUT_DIR": "output"}
    environ = {variable: str(tmp_path / name) for variable, name in names.items()}
    progress = tmp_path / "progress.jsonl"
    train(tmp_path, epochs=4, MLQ_PROGRESS_FILE=str(progress), **environ)
    metrics = json.loads((tmp_path / "output" / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.8
    reported = [json.loads(line) for line in progress.read_text().splitlines()]
    assert reported[-1]["progress"] == 1.0
    assert reported[-1]["step"] == reported[-1]["total"] == 4
    assert reported[-1]["accuracy"] == metrics["accuracy"]
    assert {path.name for path in (tmp_path / "checkpoint").iterdir()} == {"weights.npz"}
    assert not list(tmp_path.glob("digits-*"))
