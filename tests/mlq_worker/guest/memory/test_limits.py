"""When a job has taken more than it asked for, and how that is told."""

from __future__ import annotations

import pytest

from mlq_worker.guest.memory.limits import end, judged, reason, vram_judged
from mlq_worker.ipc.shortage import Shortage


@pytest.mark.parametrize(
    ("held_mib", "was_over", "is_over", "ends"),
    [
        (8192, False, False, False),
        (8192 + 63.9, True, False, False),
        (8192 + 64, False, True, False),
        (8192 + 64, True, True, True),
        (12287, False, True, False),
        (12288, False, True, True),
    ],
)
def test_a_little_over_in_two_looks_or_far_over_in_one(
    held_mib: float, was_over: bool, is_over: bool, ends: bool
) -> None:
    assert judged(8192, held_mib, was_over=was_over) == (is_over, ends)


def test_half_over_a_small_limit_ends_though_it_is_less_than_64_mib() -> None:
    assert judged(64, 96, was_over=False) == (False, True)


@pytest.mark.parametrize(
    ("held_mib", "was_over", "ends"),
    [(6963, True, False), (6964, True, True), (6964, False, False), (80000, False, False)],
)
def test_gpu_memory_has_five_percent_and_512_mib_to_spare(
    held_mib: float, was_over: bool, ends: bool
) -> None:
    assert vram_judged(6144, held_mib, was_over=was_over).ends is ends


def test_reasons() -> None:
    assert reason(8192, 8192 + 64) == "took 8.1G of the 8G of memory it asked for"
    assert reason(6144, 7475, of_gpu=True) == "took 7.3G of the 6G of GPU memory it asked for"
    assert reason(500, 564.4) == "took 564M of the 500M of memory it asked for"


def test_an_end_leaves_no_grace() -> None:
    assert end(500, 564.4) == (
        "overstepped",
        "took 564M of the 500M of memory it asked for",
        0.0,
        Shortage(of_gpu=False, used_mib=564),
    )
