"""From what a reader finds to figures and files, and what a collector that dies leaves behind."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlq.files.layout import Layout
from mlq.metrics.advance import Advance
from mlq.metrics.extent import Extent, parse_metrics
from mlq.metrics.series import Point, line_of, points_of
from mlq.metrics.usage import Sample, log_sizes, parse_used
from mlq_worker.collector.__main__ import Collector
from mlq_worker.collector.attempt import A_LOOK_S
from mlq_worker.collector.protocol import Found, Wanted
from mlq_worker.collector.reading import Reading


class Script:
    """A reader that gives out prepared points, and knows where it is."""

    def __init__(self, points: list[list[Point]], state: dict[str, Any] | None) -> None:
        self._points, self._at = points, int((state or {}).get("at", 0))

    def read(self, _: float, is_last: bool) -> Reading:
        if self._at >= len(self._points):
            return Reading([], Advance(0.5, 5, 10, 60.0))
        self._at += 1
        points = self._points[self._at - 1]
        again = {"loss": 2.0} if any("again" in one.values for one in points) else {}
        again |= {"loss": -math.inf} if any("taken" in one.values for one in points) else {}
        is_behind = is_last and self._at < len(self._points)
        return Reading(points, Advance(0.5, 5, 10, 60.0), again, is_behind)

    def state(self) -> dict[str, Any]:
        return {"at": self._at}


class Bench:
    """A job's folder and the collectors that follow it, one after the other."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.points: list[list[Point]] = []
        self.now_s, self.takes_s = 1000.0, 0.0
        self.collector = self.again()

    def _time(self) -> float:
        self.now_s += self.takes_s
        return self.now_s

    def again(self) -> Collector:
        """Return another collector, as after a crash."""
        self.collector = Collector(
            self.layout, lambda _: lambda _, state: Script(self.points, state), self._time
        )
        return self.collector

    def attempt(self, number: int = 1) -> Path:
        folder = self.layout.attempt_dir("7", number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def look(self, number: int = 1, **changes: Any) -> Found:
        return self.collector.look(Wanted("7", number, **changes))

    def loss(self, found: Found) -> Extent:
        return parse_metrics(found.figures.metrics)["loss"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.attempt()
    yield bench


def loss(step: float | None, value: float) -> Point:
    return Point(step, 1000.0, {"loss": value})


def test_points_are_appended_and_their_extents_told(bench: Bench) -> None:
    bench.points = [[loss(1, 3.0), loss(2, 1.0)], [loss(3, 2.0)]]
    assert bench.loss(bench.look()) == Extent(1.0, 2, 1.0, 2, 3.0, 1)
    found = bench.look()
    assert bench.loss(found) == Extent(2.0, 3, 1.0, 2, 3.0, 1)
    assert found.figures.advance == Advance(0.5, 5, 10, 60.0)
    lines = (bench.attempt() / "metrics.jsonl").read_bytes()
    assert list(points_of(lines)) == [point for part in bench.points for point in part]


def test_what_is_measured_anew_replaces_curve_and_extents(bench: Bench) -> None:
    bench.points = [
        [loss(1, 3.0), loss(2, 1.0), Point(3, 1000.0, {"loss": 0.0, "acc": 0.5})],
        [Point(2, 1000.0, {"loss": 5.0, "again": 1.0})],
    ]
    bench.look()
    found = bench.look()
    assert bench.loss(found) == Extent(5.0, 2, 3.0, 1, 5.0, 2)
    assert parse_metrics(found.figures.metrics)["acc"].last == 0.5
    lines = (bench.attempt() / "metrics.jsonl").read_bytes()
    assert [(one.step, one.values) for one in points_of(lines)] == [
        (1, {"loss": 3.0}),
        (3, {"acc": 0.5}),
        (2, {"loss": 5.0, "again": 1.0}),
    ]


def test_what_another_source_takes_over_is_left_out_whole(bench: Bench) -> None:
    (bench.attempt(1) / "metrics.jsonl").write_bytes(line_of(loss(40, 8.0)))
    bench.points = [
        [loss(1, 3.0), Point(None, 1000.0, {"loss": 0.0, "acc": 0.5})],
        [Point(50, 1000.0, {"loss": 5.0, "taken": 1.0})],
    ]
    bench.attempt(2)
    assert bench.loss(bench.look(2)).max == 3.0
    found = bench.look(2)
    assert bench.loss(found) == Extent(5.0, 50, 5.0, 50, 8.0, 40), "epoch 1 was no step 1"
    lines = (bench.attempt(2) / "metrics.jsonl").read_bytes()
    assert [(one.step, one.values) for one in points_of(lines)] == [
        (None, {"acc": 0.5}),
        (50, {"loss": 5.0, "taken": 1.0}),
    ]


def test_the_next_collector_goes_on_where_the_last_one_stopped(bench: Bench) -> None:
    bench.points = [[loss(1, 3.0)], [loss(2, 1.0)]]
    bench.look(samples=(Sample(10, 10, 2.0, 100),))
    bench.again()
    found = bench.look(samples=(Sample(20, 10, 4.0, 50),))
    assert bench.loss(found) == Extent(1.0, 2, 1.0, 2, 3.0, 1)
    used = parse_used(found.figures.used)
    assert (used.samples, used.cores, used.mem_mib) == (2, 3.0, 100)
    assert len((bench.attempt() / "usage.jsonl").read_bytes().splitlines()) == 2


def test_what_was_written_but_not_noted_is_written_once(bench: Bench) -> None:
    bench.points = [[loss(1, 3.0)], [loss(2, 1.0)]]
    bench.look()
    noted = (bench.attempt() / "reading.json").read_bytes()
    bench.look()
    (bench.attempt() / "reading.json").write_bytes(noted)
    bench.again()
    bench.look()
    lines = (bench.attempt() / "metrics.jsonl").read_bytes()
    assert list(points_of(lines)) == [loss(1, 3.0), loss(2, 1.0)]


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"{", b"[]", b'{"version": 1, "metrics_size": "x"}', b'{"version": 9}', b"\xff" * 99],
)
def test_a_note_that_cannot_be_used_counts_as_missing(bench: Bench, rubbish: bytes) -> None:
    bench.points = [[loss(1, 3.0)]]
    bench.look()
    (bench.attempt() / "reading.json").write_bytes(rubbish)
    bench.again()
    assert bench.loss(bench.look()).last == 3.0
    assert list(points_of((bench.attempt() / "metrics.jsonl").read_bytes())) == [loss(1, 3.0)]


def test_steps_repeated_after_a_resume_are_replaced(bench: Bench) -> None:
    earlier = [loss(1, 9.0), loss(2, 5.0), loss(3, 0.5), loss(4, 0.1)]
    (bench.attempt() / "metrics.jsonl").write_bytes(b"".join(map(line_of, earlier)))
    bench.attempt(2)
    bench.points = [[], [loss(4, 0.3)], [loss(3, 0.7), loss(5, 0.2)]]
    assert bench.loss(bench.look(2)) == Extent(0.1, 4, 0.1, 4, 9.0, 1)
    assert bench.loss(bench.look(2)) == Extent(0.3, 4, 0.3, 4, 9.0, 1)
    assert bench.loss(bench.look(2)) == Extent(0.2, 5, 0.2, 5, 9.0, 1)
    bench.again()
    assert bench.loss(bench.look(2)) == Extent(0.2, 5, 0.2, 5, 9.0, 1)


def test_at_the_end_the_launchers_result_gets_the_figures(bench: Bench) -> None:
    result = {"id": "7", "attempt": 1, "outcome": "exited", "exit_code": 0, "notes": ["emptied"]}
    path = bench.attempt() / "result.json"
    path.write_text(json.dumps(result))
    bench.points = [[loss(1, 3.0)], [loss(2, 1.0)]]
    found = bench.look(is_last=True, samples=(Sample(10, 10, 2.0, 100),), notes=("a note",))
    written = json.loads(path.read_bytes())
    assert {**written, **result} | {"notes": written["notes"]} == written
    assert written["notes"] == ["emptied", "a note"]
    assert parse_metrics(written["metrics"]) == parse_metrics(found.figures.metrics)
    assert bench.loss(found) == Extent(1.0, 2, 1.0, 2, 3.0, 1)
    assert written["used"]["mem_mib"] == 100
    assert written["advance"] == {"share": 0.5, "step": 5, "total": 10, "left_s": 60.0}
    bench.look(is_last=True, notes=("a note",))
    assert json.loads(path.read_bytes())["notes"] == ["emptied", "a note"]


def test_a_long_last_reading_is_told_in_parts(bench: Bench) -> None:
    (bench.attempt() / "result.json").write_text('{"id": "7", "attempt": 1}')
    bench.points = [[loss(step, float(step))] for step in range(1, 8)]
    bench.takes_s, last = A_LOOK_S / 4, []
    while True:
        found = bench.look(is_last=True)
        last.append(bench.loss(found).last)
        bench.again()
        if not found.is_behind:
            break
    assert last == [2, 4, 6, 7]
    assert bench.loss(found) == Extent(7, 7, 1, 1, 7, 7)


@pytest.mark.parametrize(
    "foreign",
    [b"rubbish", b"[]", b'{"id": "8", "attempt": 1}', b'{"id": "7", "attempt": 2}', b" " * 70_000],
)
def test_a_result_that_is_none_of_ours_stays_as_it_is(bench: Bench, foreign: bytes) -> None:
    path = bench.attempt() / "result.json"
    path.write_bytes(foreign)
    bench.points = [[loss(1, 3.0)]]
    assert bench.loss(bench.look(is_last=True)).last == 3.0
    assert path.read_bytes() == foreign


def test_no_result_is_invented(bench: Bench) -> None:
    bench.points = [[loss(1, 3.0)]]
    bench.look(is_last=True)
    assert not (bench.attempt() / "result.json").exists()


def test_a_result_never_grows_beyond_what_a_result_may_be(bench: Bench) -> None:
    path = bench.attempt() / "result.json"
    path.write_text(json.dumps({"id": "7", "attempt": 1}))
    many = {"ä" * 90 + str(at): 1.25 for at in range(100)}
    bench.points = [[Point(1, 1000.0, many)]]
    found = bench.look(is_last=True)
    assert len(parse_metrics(found.figures.metrics)) == 100
    assert path.stat().st_size <= 65536
    assert len(parse_metrics(json.loads(path.read_bytes())["metrics"])) > 20


def test_an_attempt_without_a_folder_is_no_trouble(bench: Bench) -> None:
    found = bench.look(5)
    assert (found.figures.metrics, found.trouble) == ("", "")


@pytest.mark.parametrize("name", ["metrics.jsonl", "usage.jsonl", "reading.json"])
def test_what_a_job_puts_in_the_place_of_our_files_leads_nowhere(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (bench.attempt() / name).symlink_to(other)
    bench.points = [[loss(1, 3.0)]]
    found = bench.look(samples=(Sample(10, 10, 2.0, 100),))
    assert other.read_text() == "precious"
    assert bench.loss(found).last == 3.0
    assert bool(found.trouble) == (name != "reading.json")


def test_a_link_in_the_place_of_the_attempt_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bench.attempt().rmdir()
    bench.attempt(2)
    (bench.attempt(2).parent / "1").symlink_to(elsewhere)
    found = bench.look(samples=(Sample(10, 10, 2.0, 100),))
    assert found.trouble
    assert list(elsewhere.iterdir()) == []


def test_a_reader_that_fails_is_its_own_jobs_trouble(bench: Bench) -> None:
    bench.points = None  # type: ignore[assignment]
    assert bench.look().trouble.startswith("TypeError")
    bench.points = [[loss(1, 3.0)]]
    assert bench.loss(bench.look()).last == 3.0


def test_the_size_of_the_log_is_noted_beside_samples(bench: Bench) -> None:
    samples = (Sample(10, 10, 2.0, 100), Sample(20, 10, 2.0, 100))
    bench.look(samples=samples)
    (bench.attempt() / "output.log").write_bytes(b"four")
    bench.look(samples=samples)
    (bench.attempt() / "output.log").unlink()
    (bench.attempt() / "output.log").symlink_to("/etc/passwd")
    bench.look(samples=samples)
    noted = (bench.attempt() / "usage.jsonl").read_bytes()
    assert list(log_sizes(noted)) == [(1000.0, 4)]
    assert len(noted.splitlines()) == 6
