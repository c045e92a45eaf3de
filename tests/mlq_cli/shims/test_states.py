"""Jobs' states in Slurm's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.files.layout import Layout
from mlq.jobs.view import FIELDS, view
from mlq_cli.shims.states import exit_code, state_of


@pytest.mark.parametrize(
    ("reason", "state", "code"),
    [
        ("out of memory: it used 7.9 of the 6 GiB it had asked for", "OUT_OF_MEMORY", "0:9"),
        ("took 8.1G of the 8G of memory it asked for", "OUT_OF_MEMORY", "0:9"),
        (
            "took 7.3G of the 6G of GPU memory it asked for; no machine has more",
            "OUT_OF_MEMORY",
            "",
        ),
        ("timeout after 2h", "TIMEOUT", ""),
        ("took too long: exit 3", "FAILED", "1:0"),
    ],
)
def test_why_a_job_has_failed(reason: str, state: str, code: str) -> None:
    fields = {"status": "failed", "mlq_reason": reason}
    job = view(["9", *(fields.get(one, "") for one in FIELDS)], Layout(Path("/")), 1024)
    assert state_of(job) == state
    assert not code or exit_code(job) == code
