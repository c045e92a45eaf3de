"""The example that knows nothing of mlq: what it prints is all that its metrics need."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ci import require

from mlq.metrics.series import curve
from mlq_cli.render.rows import Rows
from mlq_worker.collector.reading import JobReader, Watched

TRAIN = Path(__file__).parents[2] / "examples" / "network" / "train.py"


@pytest.fixture(autouse=True)
def _extra_demo() -> None:
    require(find_spec("sklearn") and find_spec("tqdm"), "the extra `demo`")


def train(folder: Path, *words: str) -> bytes:
    """Run it as a job runs: standard output and standard error in one log."""
    log = folder / "attempts" / "1" / "output.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        argv = [sys.executable, str(TRAIN), *words]
        env = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        subprocess.run(argv, stdout=file, stderr=file, env=env, check=True, timeout=60)
    return log.read_bytes()


def test_its_metrics_and_progress_are_read_from_what_it_prints(tmp_path: Path) -> None:
    log = train(tmp_path, "--epochs", "8", "--lr", "0.2", "--seed", "3")
    assert b"mlq" not in TRAIN.read_bytes().split(b'"""')[2]
    reader = JobReader(Watched("1", 1, str(tmp_path), (), 1000.0))
    reading = reader.read(1000.0, is_last=True)
    points, advance = reading.points, reading.advance
    accuracies = curve(points, "val_acc")
    assert [point.step for point, _ in accuracies] == list(range(1, 9))
    assert accuracies[-1][1] > 0.9
    assert {"train_loss", "val_loss"} <= points[0].values.keys()
    assert advance.share == 1.0
    # And as a terminal shows it: a line for each epoch, and the bar of the epochs at its end.
    rows = Rows()
    shown = (rows.feed(log) + rows.finish()).splitlines()
    assert [row.startswith("{'epoch': ") for row in shown] == [True] * 8 + [False]
    assert shown[-1].startswith("epochs: 100%|")


def test_a_seed_says_all_of_chance(tmp_path: Path) -> None:
    def measured(name: str, seed: str) -> list[bytes]:
        log = train(tmp_path / name, "--epochs", "1", "--seed", seed)
        return [part for part in log.replace(b"\r", b"\n").split(b"\n") if part.startswith(b"{")]

    assert measured("a", "1") == measured("b", "1") != measured("c", "2")
