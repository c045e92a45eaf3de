"""Progress lines come from jobs: whatever stands there, reading them never fails."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.progress import latest, report


@pytest.mark.parametrize(
    ("tail", "text"),
    [
        (b"", ""),
        (b"0.5\n", "0.5"),
        (b"0.5\n0.7\n", "0.7"),
        (b"0.5\n0.7", "0.5"),
        (b"1\n", "1.0"),
        (b'{"progress": 0.25, "loss": 3}\n', "0.25"),
        (b'0.5\n{"loss": 3}\n', "0.5"),
        (b"0.5\nepoch 3 done\n\n", "0.5"),
        (b"rn line\n0.5\n", "0.5"),
        (b"0.5\ntrue\nnull\n[1]\n\xff\xfe\n", "0.5"),
        (b"0.5\nNaN\nInfinity\n", "0.5"),
        (b"0.5\n1" + b"0" * 400 + b"\n", "0.5"),
        (b"0.5\n" + b"[" * 4000 + b"\n", "0.5"),
    ],
)
def test_the_last_whole_line_that_tells_counts(tail: bytes, text: str) -> None:
    assert latest(tail) == text


@given(st.binary(max_size=200))
def test_no_bytes_at_all_are_a_problem(tail: bytes) -> None:
    text = latest(tail)
    assert text == "" or math.isfinite(float(text))


@given(st.floats(0, 1), st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_reported_is_read(progress: float, loss: float) -> None:
    line = json.dumps({"progress": progress, "loss": loss}) + "\n"
    assert latest(line.encode()) == repr(progress)


def test_a_job_reports_to_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "progress.jsonl"
    monkeypatch.setenv("MLQ_PROGRESS_FILE", str(file))
    report(0.5, loss=1.25)
    report(1)
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert lines == [{"progress": 0.5, "loss": 1.25}, {"progress": 1}]
    assert latest(file.read_bytes()) == "1.0"


def test_outside_of_a_job_reporting_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLQ_PROGRESS_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    report(0.5)
    assert list(tmp_path.iterdir()) == []
