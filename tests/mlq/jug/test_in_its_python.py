"""What runs beside jug in the program's own Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

task = pytest.importorskip("jug.task", reason="jug is not installed")

from mlq.jug import in_its_python  # noqa: E402 - it needs jug


class EndedError(BaseException):
    """Ends the thread's loop."""


class Tasks:
    """Tasks of which one is done; which looks at them fail is given."""

    def __init__(self, *failing: int) -> None:
        self.failing, self.look = failing, 0

    def can_load(self) -> bool:
        if self.look in self.failing:
            raise OSError(5, f"look {self.look}")
        return True

    def pause(self, _: float) -> None:
        self.look += 1
        if self.look == 9:
            raise EndedError


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ((), ""),
        ((1, 3, 8), ""),
        ((2, 3, 4, 6, 7), "mlq: the progress cannot be told: OSError: [Errno 5] look 3\n"),
    ],
)
def test_progress_that_cannot_be_told_is_said_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: tuple[int, ...],
    said: str,
) -> None:
    one, file = Tasks(*failing), tmp_path / "progress"
    monkeypatch.setattr(task, "alltasks", [one])
    monkeypatch.setattr(in_its_python.time, "sleep", one.pause)
    with pytest.raises(EndedError):
        in_its_python._tell_progress(str(file))
    assert json.loads(file.read_text()) == {"step": 1, "total": 1}
    assert capsys.readouterr().err == said
