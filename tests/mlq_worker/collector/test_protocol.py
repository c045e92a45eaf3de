"""What worker and collector say to each other is the same on both sides."""

from __future__ import annotations

import json

import pytest

from mlq.metrics.advance import Advance
from mlq.metrics.usage import Sample
from mlq_worker.collector.protocol import (
    Figures,
    Found,
    Wanted,
    answer_line,
    read_answer,
    read_request,
    request_line,
)

WANTED = Wanted(
    "7",
    2,
    (("acc", "acc ([0-9.]+)"),),
    1.8e9,
    4,
    8192,
    1,
    "NVIDIA A",
    reads=False,
    is_last=True,
    samples=(Sample(1.0, 10.0, 3.5, 100, 200, 0.5), Sample(2.0, 10.0, 3.5, 100)),
    notes=("a note",),
)


def test_a_request() -> None:
    line = request_line([WANTED, Wanted("8_1", 1)])
    assert line.count(b"\n") == 1
    assert read_request(line) == [WANTED, Wanted("8_1", 1)]


def test_a_newer_worker_may_say_more() -> None:
    raw = json.loads(request_line([WANTED]))
    raw[0]["new"] = 1
    assert read_request(json.dumps(raw).encode()) == [WANTED]


def test_answers() -> None:
    found = Found("7", 2, Figures("{}", Advance(0.5, 1, 2, 3, 4), "{}", ("a\nnote",)), "full")
    assert read_answer(answer_line(found)) == found
    assert answer_line(found).count(b"\n") == 1
    assert read_answer(answer_line(None)) is None


@pytest.mark.parametrize("line", [b"", b"{", b"7", b'["7", 2]', b'["7", 2, [], ""]'])
def test_what_is_no_answer_is_refused(line: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_answer(line)
