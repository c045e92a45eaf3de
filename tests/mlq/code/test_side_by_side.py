"""Many files at once, where each takes long."""

import threading

import pytest

from mlq.code.side_by_side import each


class Ticking:
    """A clock that is so much later each time it is asked."""

    def __init__(self, step_s: float) -> None:
        self._now_s, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        self._now_s += self._step_s
        return self._now_s


def test_what_is_quick_is_done_in_one_thread() -> None:
    threads = set(each(lambda _: threading.get_ident(), range(100), Ticking(0.001)))
    assert threads == {threading.get_ident()}


def test_what_is_slow_is_done_side_by_side_in_order() -> None:
    together = threading.Barrier(8)

    def work(number: int) -> int:
        if number >= 16:
            together.wait(20)  # passes only if eight are at work
        return number

    assert list(each(work, range(32), Ticking(1.0))) == list(range(32))


def test_an_error_is_that_of_the_work() -> None:
    def work(number: int) -> int:
        if number == 20:
            raise OSError(5, "no")
        return number

    with pytest.raises(OSError, match="no"):
        list(each(work, range(32), Ticking(1.0)))
    assert list(each(work, [])) == []
