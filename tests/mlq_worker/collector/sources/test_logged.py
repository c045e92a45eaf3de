"""Metrics in the lines of a log."""

from __future__ import annotations

import math
import time

import pytest

from mlq_worker.collector.patterns import usable_patterns
from mlq_worker.collector.sources.logged import Logged, read_logged


def _read(*lines: str, metric: tuple[tuple[str, str], ...] = ()) -> Logged:
    return read_logged([one.encode() for one in lines], usable_patterns(metric), None)


@pytest.mark.parametrize(
    "line",
    [
        "{'loss': 0.5, 'epoch': 3}",
        "{'loss': '0.5', 'epoch': '3.0'}",  # as Hugging Face's Trainer prints
        '{"loss": 0.5, "epoch": 3, "event": "epoch", "level": "info"}',  # as structlog does
        "2026-11-27 22:00:01 INFO {'loss': 0.5, 'epoch': 3}  ",
        "\x1b[32m{'loss': 0.5, 'epoch': 3}\x1b[0m",
        "{'loss': np.float64(0.5), 'epoch': 3, 'done': False, 'note': None}",
        "{'loss': tensor(0.5, device='cuda:0', grad_fn=<NllLossBackward0>), 'epoch': tensor(3.)}",
        "{'loss': array(0.5, dtype=float32), 'epoch': 3, }".replace(", }", "}"),
    ],
)
def test_objects_are_read_however_they_are_written(line: str) -> None:
    (point,) = _read(line).objects
    assert (point.step, point.values) == (3, {"loss": 0.5})


def test_values_that_are_no_numbers_or_infinite() -> None:
    (point,) = _read("{'a': nan, 'b': -inf, 'c': 'nan', 'd': 'no'}").objects
    assert point.values.keys() == {"a", "b", "c"}
    assert math.isnan(point.values["a"])
    assert point.values["b"] == -math.inf


def test_an_object_without_a_step_has_the_epoch_named_before_it() -> None:
    found = _read(
        "Epoch 3/60", "{'loss': 0.5}", "epoch: 4", "{'loss': 0.25}", "{'step': 9, 'a': 1}"
    )
    assert [one.step for one in found.objects] == [3, 4, 9]
    assert found.epoch == 4


def test_lines_that_only_look_like_objects_are_left_out() -> None:
    lines = ["{", "}", "{}", "{1: 2}", "f(x) = {x | x > 3}", "def f() { return 1; }", "{'a': }"]
    lines += ["{'loss': 0.5", "{" * 60_000 + "}", "[{'loss': 0.5}]", "{'a': '" + "1" * 9000 + "'}"]
    assert _read(*lines).objects == []


def test_a_regex_names_the_value_by_its_group() -> None:
    metric = (("acc", r"accuracy ([0-9.]+)"), ("t", r"(test|eval): (?P<value>\S+)"))
    found = _read("epoch 7/9: accuracy 0.75", "eval: 0.5", "eval: many", metric=metric)
    assert [(one.step, one.values) for one in found.matched] == [(7, {"acc": 0.75, "t": 0.5})]


def test_the_step_of_a_match_is_in_its_line() -> None:
    metric = (("loss", r"[Ll]oss:? ([0-9.]+)"),)
    lines = ["Epoch [3/60], Step [50/100], Loss: 0.5", "step 1200 loss 0.4", "loss 0.3"]
    found = _read(*lines, metric=metric)
    assert [one.step for one in found.matched] == [2.5, 1200, 3]


def test_a_million_lines_take_bounded_time() -> None:
    worst = [
        "{" + "a" * 4000 + "}",
        "epoch" * 800 + "}",
        "{'" + "(" * 4000 + "'}",
        "a(" * 3000 + "}",
    ]
    lines = [one.encode() for one in worst] * 250  # 4 MiB, the most of one look
    began = time.process_time()
    read_logged(lines, [], None)
    assert time.process_time() - began < 5
