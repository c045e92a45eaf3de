"""How far a job is, in a hash."""

from __future__ import annotations

import pytest

from mlq.metrics.advance import Advance, parse_advance


def test_read_as_written() -> None:
    advance = Advance(0.25, 15, 60, 1800.5, 0.7)
    assert parse_advance(0.25, advance.text) == advance
    assert Advance(0.25).text == ""
    assert parse_advance(None, "") == Advance()


@pytest.mark.parametrize("text", ["{", "[]", '{"step": "many", "left_s": NaN}', '{"step": true}'])
def test_what_is_spoilt_is_unknown(text: str) -> None:
    assert parse_advance(0.5, text) == Advance(0.5)
