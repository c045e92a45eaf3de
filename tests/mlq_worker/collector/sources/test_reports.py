"""What `report()` writes, and what a job's `echo` may."""

from __future__ import annotations

import json
import math

from mlq_worker.collector.sources.reports import Reported, read_reports


def test_a_number_alone_is_the_share() -> None:
    found = read_reports([b"0.25", b"0.5"])
    assert found.points == []
    assert (found.first, found.last) == (Reported(0.25), Reported(0.5))


def test_a_report_has_a_step_a_total_a_time_and_metrics() -> None:
    lines = [b'{"progress": null, "step": 3, "total": 12, "at": 1800000000.5, "loss": 0.5}']
    found = read_reports(lines)
    assert found.last == Reported(0.25, 3, 12, 1800000000.5)
    (point,) = found.points
    assert (point.step, point.at_s, point.values) == (3, 1800000000.5, {"loss": 0.5})


def test_an_epoch_is_the_step_of_a_report_without_one() -> None:
    (point,) = read_reports([b'{"progress": 0.4, "epoch": 6, "loss": 1.2}']).points
    assert (point.step, point.values) == (6, {"loss": 1.2})


def test_values_that_json_has_no_numbers_for() -> None:
    lines = [b'{"progress": 0.5, "a": NaN, "b": "inf", "c": -Infinity, "d": "nan", "e": "fine"}']
    (point,) = read_reports(lines).points
    assert point.values.keys() == {"a", "b", "c", "d"}
    assert math.isnan(point.values["a"])
    assert point.values["c"] == -math.inf


def test_a_metric_may_be_a_number_here_and_a_text_there() -> None:
    lines = [json.dumps({"step": step, "x": x}).encode() for step, x in enumerate([1, "no", 2])]
    assert [one.values for one in read_reports(lines).points] == [{"x": 1}, {"x": 2}]


def test_rubbish_is_left_out_and_a_share_stays_within_its_bounds() -> None:
    rubbish = [b"", b"\xff\xfe", b"[1, 2]", b'"x"', b"null", b"true", b"{", b"[" * 100_000]
    rubbish += [b"9" * 5000, b'{"progress": "1' + b"0" * 400 + b'"}', b"nan", b'{"step": Infinity}']
    found = read_reports(rubbish)
    assert (found.points, found.first) == ([], None)
    assert read_reports([b"7"]).last == Reported(1.0)
    assert read_reports([b'{"step": 5, "total": 0}']).last == Reported(None, 5, 0)
