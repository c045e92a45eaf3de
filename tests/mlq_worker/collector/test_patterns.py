"""The regexes of `--metric` as an order has them."""

from __future__ import annotations

from mlq_worker.collector.patterns import usable_patterns


def test_those_that_can_be_used() -> None:
    metrics = {"acc": "accuracy ([0-9.]+)", "bad": "(", "a\x1b": "(.)", "none": 7, "two": "(a)(b)"}
    (found,) = usable_patterns(metrics.items())
    assert (found.name, found.regex.pattern, found.group) == ("acc", "accuracy ([0-9.]+)", 1)


def test_their_number_is_bounded() -> None:
    assert len(usable_patterns((f"m{number}", "(.)") for number in range(1000))) == 20
