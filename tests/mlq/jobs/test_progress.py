"""Progress lines come from jobs: whatever stands there, reading them never fails."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.progress import latest


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
        (b'{"step": 3, "total": 12, "at": 1.5}\n', "0.25"),
        (b'{"progress": 0.5, "step": 3, "total": 4}\n{"step": 4}\n', "0.5"),
        (b'0.5\n{"step": 3, "total": 0}\n{"step": "x", "total": 2}\n', "0.5"),
        (b'{"step": 1e300, "total": 1e-300}\n{"step": -1, "total": 2}\n', "0.0"),
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
