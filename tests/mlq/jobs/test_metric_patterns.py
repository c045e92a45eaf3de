"""`--metric NAME=REGEX`, checked when the job is enqueued."""

from __future__ import annotations

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs.metric_patterns import compiled, parse_patterns


def test_a_regex_has_one_group_or_one_that_is_named_value() -> None:
    typed = ["acc=accuracy ([0-9.]+)", r"val/loss=(train|val) loss=(?P<value>\S+)"]
    found = parse_patterns(typed)
    assert found == {"acc": "accuracy ([0-9.]+)", "val/loss": r"(train|val) loss=(?P<value>\S+)"}
    assert [compiled(name, found[name])[1] for name in found] == [1, "value"]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("acc", "it is no NAME=REGEX"),
        ("acc=", "it is no NAME=REGEX"),
        ("=(.)", "a name has 1 to 100 characters"),
        ("a\x1b[2J=(.)", "all of which can be shown"),
        ("n" * 101 + "=(.)", "a name has 1 to 100 characters"),
        ("acc=accuracy ([0-9.]+", "the regex is invalid: missing )"),
        ("acc=[0-9.]+", "the regex has 0 groups"),
        ("acc=(a)(b)", "the regex has 2 groups"),
        ("acc=(" + "x" * 500 + ")", "it has 502 characters"),
        ("acc=(" + "(?:" * 200 + ")" * 201, None),
        ("acc=(a{9999999999999})", "the regex is invalid"),
    ],
)
def test_a_mistake_is_told_with_its_reason(typed: str, why: str | None) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_patterns([typed])
    assert why is None or why in (caught.value.why or "")


def test_a_name_is_given_once_and_not_too_many_are() -> None:
    with pytest.raises(InvalidInputError, match="--metric acc is given twice"):
        parse_patterns(["acc=(.)", "acc=(..)"])
    with pytest.raises(InvalidInputError, match="21 metrics are too many"):
        parse_patterns([f"m{number}=(.)" for number in range(21)])
