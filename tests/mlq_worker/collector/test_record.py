"""What the collector adds to `result.json`; the file stays the result that it was."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mlq.files.strict_files import RESULT_BYTES
from mlq.metrics.advance import Advance
from mlq.metrics.extent import extents, metrics_text, parse_metrics
from mlq.metrics.series import Point
from mlq_worker.collector.folder import AttemptFolder
from mlq_worker.collector.protocol import Figures
from mlq_worker.collector.record import add_to_result

RESULT = {"id": "7", "attempt": 2, "outcome": "exited", "exit_code": 0}
LOSS = extents([Point(1, 0.0, {"loss": 0.5})])


def added(folder: Path, figures: Figures, used: Any = None) -> bytes:
    add_to_result(AttemptFolder(str(folder)), ("7", 2), figures, used)
    return (folder / "result.json").read_bytes()


def written(folder: Path, content: object = RESULT) -> bytes:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "result.json").write_bytes(data)
    return data


def test_figures_are_added_and_the_rest_stays(tmp_path: Path) -> None:
    written(tmp_path, RESULT | {"notes": ["early"]})
    figures = Figures(metrics_text(LOSS), Advance(0.5, 3), notes=("early", "late"))
    raw = json.loads(added(tmp_path, figures, {"mem_mib": 9}))
    assert raw.items() >= RESULT.items()
    assert parse_metrics(raw["metrics"]) == LOSS
    assert raw["used"] == {"mem_mib": 9}
    assert raw["notes"] == ["early", "late"]
    assert raw["advance"] == {"share": 0.5, "step": 3}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", json.dumps(RESULT | {"attempt": 1}).encode()]
)
def test_what_is_not_this_result_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    before = written(tmp_path, content)
    assert added(tmp_path, Figures(metrics_text(LOSS))) == before


def test_a_result_that_the_launcher_has_not_written_is_not_made(tmp_path: Path) -> None:
    add_to_result(AttemptFolder(str(tmp_path)), ("7", 2), Figures(metrics_text(LOSS)), None)
    assert list(tmp_path.iterdir()) == []


def test_a_forged_figure_makes_it_nothing_that_json_is_not(tmp_path: Path) -> None:
    before = written(tmp_path)
    assert added(tmp_path, Figures(advance=Advance(math.nan))) == before
    assert added(tmp_path, Figures(metrics_text(LOSS)), {"cores": math.inf}) == before


def test_it_never_becomes_larger_than_a_result_may_be(tmp_path: Path) -> None:
    before = written(tmp_path)
    assert added(tmp_path, Figures(notes=("x" * RESULT_BYTES,))) == before
    many = extents([Point(1, 0.0, {f"{'m' * 90}{number}": 0.5 for number in range(100)})])
    assert len(added(tmp_path, Figures(metrics_text(many)))) <= RESULT_BYTES
