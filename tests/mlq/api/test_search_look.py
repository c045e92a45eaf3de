"""The curves of a search's members, read from files that come later than what the queue says."""

from __future__ import annotations

from pathlib import Path

from mlq.api.search_look import MemberCurves
from mlq.files.layout import Layout
from mlq.metrics.extent import Extent
from mlq.metrics.series import Point, line_of
from mlq.search.goal import Goal
from mlq.search.history import Member


def lines(*values: float, first: int = 1) -> bytes:
    return b"".join(
        line_of(Point(step, 5.0, {"loss": one})) for step, one in enumerate(values, first)
    )


def member(step: float, value: float, attempt: int = 1) -> Member:
    metrics = {"loss": Extent(value, step, value, step, value, step)}
    return Member("7_0", 0, "started", attempt=attempt, metrics=metrics)


class Files:
    """A results root, and how often it was read."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.reads = 0

    def read(self, path: str) -> bytes | None:
        self.reads += 1
        return self.found.get(path)


def test_a_file_is_read_again_until_it_has_what_the_queue_says() -> None:
    files, layout = Files(), Layout(Path("/root"))
    curves = MemberCurves(layout, Goal("loss", True), files.read)
    path = layout.folder("7_0").metrics_file(1)
    assert not curves.of([Member("7_0", 0, "started")], 9.0)
    assert files.reads == 0
    assert curves.of([member(2, 0.5)], 9.0)[0].curve == ()
    files.found[path] = lines(0.7)
    assert [one.value for one in curves.of([member(2, 0.5)], 9.0)[0].curve] == [0.7]
    files.found[path] = lines(0.7, 0.5)
    for _ in range(3):
        assert [one.value for one in curves.of([member(2, 0.5)], 9.0)[0].curve] == [0.7, 0.5]
    assert files.reads == 3
    files.found[path] = lines(0.7, 0.5, 0.4)
    assert len(curves.of([member(3, 0.4)], 9.0)[0].curve) == 3


def test_attempts_are_one_curve() -> None:
    files, layout = Files(), Layout(Path("/root"))
    folder = layout.folder("7_0")
    files.found[folder.metrics_file(1)] = lines(0.9, 0.8, 0.7)
    files.found[folder.metrics_file(2)] = lines(0.6, 0.5, first=2)
    found = MemberCurves(layout, Goal("loss", True), files.read).of(
        [member(3, 0.5, attempt=2)], 9.0
    )
    assert [(one.step, one.value) for one in found[0].curve] == [(1, 0.9), (2, 0.6), (3, 0.5)]
