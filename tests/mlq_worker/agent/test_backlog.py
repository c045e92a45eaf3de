"""When a worker looks again at what waits, though nothing was announced."""

from __future__ import annotations

import pytest

from mlq.settings.load import load
from mlq.store.replies import Head, Waiting
from mlq_worker.agent.backlog import Backlog

NOTHING = Waiting((), {})
SOMETHING = Waiting((Head("p0.c1.m128.g0.v0", "1", 1, "2026-11-28T12:00:00.000000Z", 1.0),), {})


@pytest.mark.parametrize(
    ("waiting", "holds", "in_s"),
    [(NOTHING, False, 4), (NOTHING, True, 2), (SOMETHING, False, 2), (SOMETHING, True, 2)],
)
def test_half_as_often_without_any_job(waiting: Waiting, holds: bool, in_s: int) -> None:
    backlog = Backlog(load({"HOME": "/nowhere"}).settings)
    backlog.show(waiting, 100.0, tried=False, brought=False, holds=holds)
    assert backlog.due_s == 100 + in_s


def test_at_once_when_work_is_announced() -> None:
    backlog = Backlog(load({"HOME": "/nowhere"}).settings)
    backlog.show(NOTHING, 100.0, tried=False, brought=False, holds=False)
    backlog.call()
    assert backlog.due_s == 0
