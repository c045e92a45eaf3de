"""Job ids, ranges and names as typed."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.ids import LARGEST_RANGE, Selection, expand, is_job_id, is_valid_id, order_key


@pytest.mark.parametrize("text", ["1", "1042", "1042_0", "1042_7", "9" * 15])
def test_our_ids(text: str) -> None:
    assert is_job_id(text)
    assert expand(text) == Selection("id", (text,), text)


@pytest.mark.parametrize("text", ["", "0", "007", "1_", "_1", "1_07", "1-2", "a", "1 ", "٣", "1\n"])
def test_what_is_not_our_id(text: str) -> None:
    assert not is_job_id(text)


def test_ids_sort_in_order_of_submission_and_foreign_ones_last() -> None:
    typed = ["zebra", "1043", "1042_10", "1042_9", "99", "1042"]
    assert sorted(typed, key=order_key) == ["99", "1042", "1042_9", "1042_10", "1043", "zebra"]


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_numbers_sort_as_numbers(one: int, other: int) -> None:
    assert (order_key(str(one)) < order_key(str(other))) == (one < other)


def test_a_range_has_both_its_ends() -> None:
    assert expand("1040-1043") == Selection("range", ("1040", "1041", "1042", "1043"), "")
    assert expand("7_9-11") == Selection("range", ("7_9", "7_10", "7_11"), "")
    assert expand("7_9-7_10").ids == ("7_9", "7_10")
    assert expand("7_9-8_10").kind == "name"
    assert expand("7-7").ids == ("7",)
    assert len(expand(f"1-{LARGEST_RANGE}").ids) == LARGEST_RANGE


def test_a_range_that_runs_backwards_is_refused_with_the_right_one() -> None:
    with pytest.raises(InvalidInputError, match="write 1040-1050"):
        expand("1050-1040")


def test_an_absurdly_long_range_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="too long"):
        expand(f"1-{LARGEST_RANGE + 1}")
    with pytest.raises(InvalidInputError, match="too long"):
        expand(f"1-{10**14}")


def test_a_uuid_of_plain_rq_may_be_an_id_or_a_name() -> None:
    foreign = str(uuid.UUID(int=2**127 + 5))
    assert expand(foreign) == Selection("name", (foreign,), foreign)


@pytest.mark.parametrize("name", ["lr 0.1", "résumé", "a/b", "../../etc"])
def test_a_name_beyond_the_charset_of_ids_is_only_a_name(name: str) -> None:
    assert expand(name) == Selection("name", (), name)


def test_nothing_is_not_a_selection() -> None:
    with pytest.raises(InvalidInputError):
        expand("  ")


@given(st.text())
def test_an_id_is_safe_as_a_file_name(text: str) -> None:
    if is_valid_id(text):
        assert not set(text) & set("/.\0\n ") and text
