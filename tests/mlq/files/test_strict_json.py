"""JSON from strangers: any bytes are a value without surprises, or a ValueError."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.files.strict_files import Absent, Refused
from mlq.files.strict_json import Parsed, is_deeper, parse, read_json


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is damaged"),
        (b"{}x", "is damaged"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "is damaged"),
        (b"[" * 1000 + b"]" * 1000, "is nested more than 16 deep"),
        (b"[" * 1_000_000, "is nested more than 16 deep"),
        (b'{"a":' * 50, "is nested more than 16 deep"),
        (b"[NaN]", "holds NaN, which is no JSON"),
        (b"-Infinity", "holds -Infinity, which is no JSON"),
        (b"1e999", "holds a number that is not finite"),
        (b"9" * 41, "holds an absurdly long number"),
        (b"9" * 100_000, "holds an absurdly long number"),
        (b'{"a": 1, "a": 2}', "names something twice"),
    ],
)
def test_a_text_with_surprises_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace("+", "\\+") + "$"):
        parse(data)


def test_brackets_in_texts_do_not_nest() -> None:
    text = json.dumps(["[" * 5000, '\\"[[[', {'"{[': "\\"}])
    assert parse(text.encode()) == json.loads(text)


@given(st.binary())
def test_any_bytes_are_a_value_or_a_value_error(data: bytes) -> None:
    for text in (data, b'{"a": ' + data + b"}", b"[" + data + b"]"):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert json.loads(text) == value


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@given(_VALUES, st.integers(0, 6))
def test_what_is_json_is_read_if_it_is_not_too_deep(value: Any, depth: int) -> None:
    data = json.dumps(value).encode()
    assert is_deeper(data, depth) == (_depth(value) > depth)
    if _depth(value) <= depth and _finite(value):
        assert parse(data, depth) == value
    else:
        with pytest.raises(ValueError, match=r"nested|NaN|Infinity"):
            parse(data, depth)


def test_a_file_is_read_and_parsed_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "queue.json"
    assert read_json(tmp_path, path, 100) == Absent()
    path.write_text('{"queue": "x"}', "ascii")
    assert read_json(tmp_path, path, 100) == Parsed({"queue": "x"})
    assert read_json(tmp_path, path, 5) == Refused("is larger than 5 bytes")
    path.write_text("[" * 50, "ascii")
    assert read_json(tmp_path, path, 100) == Refused("is nested more than 16 deep")
