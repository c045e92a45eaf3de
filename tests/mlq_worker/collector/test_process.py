"""The collector as its own process, on the files of real folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlq.files.layout import Layout
from mlq.metrics.extent import parse_metrics
from mlq_worker.agent.collector_child import CollectorChild
from mlq_worker.collector.protocol import Wanted

HANGS = (("acc", "acc (a+)+$"),)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[CollectorChild]:
    child = CollectorChild(str(tmp_path), "", silent_s=20.0)
    yield child
    if child._child is not None:
        child._child.kill()
        child._child.wait()


def test_a_pattern_that_never_ends_costs_only_its_own_job(
    child: CollectorChild, tmp_path: Path
) -> None:
    logs = [Path(Layout(tmp_path).folder(one).log_file(1)) for one in ("7", "8")]
    for log in logs:
        log.parent.mkdir(parents=True)
    logs[0].write_text("acc " + "a" * 60 + "b\n")
    logs[1].write_text("{'loss': 0.5, 'step': 3}\n")
    good = Wanted("8", 1)
    assert parse_metrics(child.ask([good]).found[0].figures.metrics)["loss"].last == 0.5
    child._silent_s = 1.0
    answer = child.ask([good, Wanted("7", 1, HANGS)])
    assert [one.id for one in answer.found] == ["8"]
    assert answer.blamed == ("7", 1)
    child._silent_s = 20.0
    (again,) = child.ask([good]).found
    assert parse_metrics(again.figures.metrics)["loss"].last == 0.5


def test_it_ends_when_its_worker_is_gone(child: CollectorChild, tmp_path: Path) -> None:
    child.ask([Wanted("7", 1)])
    assert child._child is not None
    assert child._child.stdin is not None
    child._child.stdin.close()
    assert child._child.wait(20) == 0
