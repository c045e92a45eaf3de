"""Numbers of cores as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlq_worker.ipc.core_list import as_list, parse_list


def test_lists_as_the_kernel_writes_them() -> None:
    assert parse_list("0-3,8,10-11\n") == {0, 1, 2, 3, 8, 10, 11}
    assert parse_list("") == parse_list("none") == parse_list("3-1") == frozenset()
    assert as_list({0, 1, 2, 8, 10, 11}) == "0-2,8,10-11"
    assert as_list([]) == ""


@given(st.frozensets(st.integers(0, 1000)))
def test_lists_are_read_as_written(cores: frozenset[int]) -> None:
    assert parse_list(as_list(cores)) == cores
