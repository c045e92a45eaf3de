"""Which failures are told that the job ran in a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq_worker.launcher.hint import HINT, hint_of, read_hint


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        (b"cat: ../data: No such file or directory\n", HINT),
        (b"PermissionError: [Errno 13] Permission denied: '/x'\nbye\n", HINT),
        (b"No such file\n" + b"epoch\n" * 10, ""),
        (b"CUDA out of memory\n", ""),
        (b"", ""),
    ],
)
def test_the_last_lines_tell(tail: bytes, told: str) -> None:
    assert hint_of(tail) == told


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"No such file\n" * 10_000 + b"x\n" * 5000)
    assert read_hint(str(log)) == ""
    log.write_bytes(b"x\n" * 5000 + b"No such file\n")
    assert read_hint(str(log)) == HINT
    assert read_hint(str(tmp_path)) == read_hint(str(tmp_path / "none")) == ""
