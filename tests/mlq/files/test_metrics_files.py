"""The metrics files of a job: whatever lies in their place, nothing hangs or leads elsewhere."""

import os
from pathlib import Path

from mlq.files.metrics_files import Bounds, attempts_in, metrics_files


def test_each_attempt_in_order_and_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "jobs/1"
    for number in (10, 2, 1, 7, 8):
        (folder / f"attempts/{number}").mkdir(parents=True)
    for number in (10, 2, 1):
        (folder / f"attempts/{number}/metrics.jsonl").write_text(f"{number}\n")
    (folder / "attempts/1/metrics.jsonl").write_text("")
    os.mkfifo(folder / "attempts/7/metrics.jsonl")
    (folder / "attempts/8/metrics.jsonl").symlink_to(folder / "attempts/2/metrics.jsonl")
    for stranger in ("x", "-1", "1.5", "007", "99999999999999999999", "\u0663"):
        (folder / "attempts" / stranger).mkdir()
    assert attempts_in(str(folder)) == [1, 2, 7, 8, 10]
    root, job = str(tmp_path), str(folder)
    assert metrics_files(root, job) == [(2, b"2\n"), (10, b"10\n")]
    assert metrics_files(root, job, before=10) == [(2, b"2\n")]
    assert metrics_files(root, job, Bounds(attempts=1)) == [(10, b"10\n")]
    assert metrics_files(root, job, Bounds(1, 2)) == [(10, b"0\n")]


def test_a_job_that_has_no_folder(tmp_path: Path) -> None:
    assert metrics_files(str(tmp_path), str(tmp_path / "jobs/2")) == []
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/3").write_text("no folder")
    assert metrics_files(str(tmp_path), str(tmp_path / "jobs/3")) == []
