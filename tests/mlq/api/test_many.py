"""A slice is as large as the server does in the time that it may be held for."""

from __future__ import annotations

from typing import Any

import pytest

from mlq.api.many import AIM_S, FIRST, LEAST, MOST, Pace


class Server:
    """A server on which everything takes its time, and a clock that shows it."""

    def __init__(self, job_s: float, way_s: float = 0.0, list_s: float = 0.0) -> None:
        self.now_s = 0.0
        self._job_s, self._way_s, self._list_s = job_s, way_s, list_s

    def call(self, *_command: Any) -> None:
        self.now_s += self._way_s

    def call_many(self, _commands: Any) -> list[Any]:
        raise AssertionError("nothing but the way is measured")

    def work(self, jobs: int) -> None:
        self.now_s += self._way_s + self._list_s + jobs * self._job_s

    def sizes(self, jobs: int) -> list[int]:
        pace, sizes = Pace(self, lambda: self.now_s), []
        before = 0
        for done, part in pace.slices(range(jobs)):
            with pace.timed():
                self.work(len(part))
            assert done - before == len(part)
            before = done
            sizes.append(len(part))
        assert before == jobs
        return sizes


@pytest.mark.parametrize(
    ("job_s", "size"), [(1e-6, MOST), (AIM_S / 300, 300), (AIM_S / 10, LEAST), (0.0, MOST)]
)
def test_slices_take_the_time_aimed_at(job_s: float, size: int) -> None:
    first, *later, _rest = Server(job_s).sizes(10_000)
    assert first == FIRST
    assert set(later) == {size}


def test_a_long_way_makes_no_slice_smaller() -> None:
    assert Server(AIM_S / 300, way_s=2.0).sizes(10_000) == Server(AIM_S / 300).sizes(10_000)


def test_what_each_slice_costs_beside_its_jobs_makes_them_smaller() -> None:
    assert set(Server(AIM_S / 1000, list_s=AIM_S).sizes(10_000)[3:-1]) == {LEAST}


def test_few_jobs_are_one_slice_and_nothing_is_measured() -> None:
    server = Server(1.0, way_s=1.0)
    assert server.sizes(FIRST) == [FIRST]
    assert server.now_s == 1.0 + FIRST
