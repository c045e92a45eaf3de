"""Files of metrics in a job's folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq_worker.collector import finding
from mlq_worker.collector.finding import find_files


def _make(root: Path, *paths: str) -> None:
    for one in paths:
        (root / one).parent.mkdir(parents=True, exist_ok=True)
        (root / one).write_bytes(b"x")


def test_files_are_found_by_their_names_and_versions_are_in_order(tmp_path: Path) -> None:
    paths = [f"work/lightning_logs/version_{number}/metrics.csv" for number in (0, 2, 10)]
    _make(tmp_path, *paths, "work/wandb/run-1/files/wandb-summary.json", "work/train.csv")
    _make(tmp_path, "output/checkpoint-5/trainer_state.json", "output/events.out.tfevents.1.vm.7.0")
    found = find_files([f"{tmp_path}/work", f"{tmp_path}/output", f"{tmp_path}/absent"]).files
    assert [one.path for one in found if one.kind == "table"] == [f"{tmp_path}/{p}" for p in paths]
    assert sorted(one.kind for one in found) == ["events", "state", *["summary"], *["table"] * 3]


def test_no_link_is_followed_and_folders_of_programs_are_passed_over(tmp_path: Path) -> None:
    _make(tmp_path, "work/.git/metrics.csv", "work/venv/metrics.csv", "other/metrics.csv")
    (tmp_path / "work/runs").symlink_to(tmp_path / "other")
    (tmp_path / "work/metrics.csv").symlink_to(tmp_path / "other/metrics.csv")
    (tmp_path / "work/trainer_state.json").mkdir()
    assert find_files([f"{tmp_path}/work"]).files == []


def test_a_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, *(f"data/{number}.png" for number in range(100)), "runs/a/metrics.csv")
    _make(tmp_path, f"{'deep/' * 12}metrics.csv")
    monkeypatch.setattr(finding, "_MOST_IN_A_FOLDER", 50)
    assert [one.path for one in find_files([str(tmp_path)]).files] == [
        f"{tmp_path}/runs/a/metrics.csv"
    ]
    monkeypatch.setattr(finding, "_MOST_ENTRIES", 2)
    assert find_files([str(tmp_path)]) == ([], 2)
