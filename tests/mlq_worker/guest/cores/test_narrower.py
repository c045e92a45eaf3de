"""Threads that pin themselves more narrowly than their job."""

from __future__ import annotations

from mlq_worker.guest.cores.cores import Cores
from mlq_worker.guest.cores.narrower import Overruled, next_mask


def of(*numbers: int) -> Cores:
    return frozenset(numbers)


FOUR, TWO = of(0, 1, 2, 3), of(0, 1)


def test_a_thread_without_a_choice_has_what_its_job_has() -> None:
    assert next_mask(FOUR, FOUR, TWO) == (TWO, None)
    assert next_mask(TWO, TWO, FOUR) == (FOUR, None)


def test_a_thread_that_widens_its_mask_is_narrowed() -> None:
    assert next_mask(of(*range(8)), TWO, TWO) == (TWO, None)
    assert next_mask(of(5), TWO, TWO) == (TWO, None)


def test_a_narrower_choice_is_kept() -> None:
    assert next_mask(of(1), FOUR, FOUR) == (of(1), None)
    assert next_mask(of(1), FOUR, TWO) == (of(1), None)


def test_a_choice_that_a_squeeze_takes_comes_back() -> None:
    assert next_mask(of(3), FOUR, TWO) == (TWO, Overruled(TWO, of(3)))
    assert next_mask(TWO, TWO, FOUR, Overruled(TWO, of(3))) == (of(3), None)
    assert next_mask(of(1, 2), FOUR, TWO) == (of(1), Overruled(of(1), of(1, 2)))
    assert next_mask(of(1), TWO, FOUR, Overruled(of(1), of(1, 2))) == (of(1, 2), None)


def test_who_chooses_anew_is_not_held_to_an_older_choice() -> None:
    assert next_mask(of(0), TWO, FOUR, Overruled(TWO, of(3))) == (of(0), None)
