"""The regexes of `--metric` in a `job.json`, which a job may have written anew."""

from __future__ import annotations

import json

import pytest

from mlq_worker.collector.patterns import patterns_of


def test_those_that_can_be_used() -> None:
    metrics = {"acc": "accuracy ([0-9.]+)", "bad": "(", "a\x1b": "(.)", "none": 7, "two": "(a)(b)"}
    data = json.dumps({"spec": {"metrics": metrics}, "signature": "v1:x"}).encode()
    assert patterns_of(data) == (("acc", "accuracy ([0-9.]+)"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"spec": 7}',
        b'{"spec": {}}',
        b'{"spec": {"metrics": ["a"]}}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_has_none(data: bytes) -> None:
    assert patterns_of(data) == ()


def test_their_number_is_bounded() -> None:
    data = json.dumps({"spec": {"metrics": {f"m{number}": "(.)" for number in range(1000)}}})
    assert len(patterns_of(data.encode())) == 20
