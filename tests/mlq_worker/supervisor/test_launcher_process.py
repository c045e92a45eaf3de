"""When the next launcher may start."""

from __future__ import annotations

from mlq_worker.supervisor.launcher_process import LaunchPause


def test_a_launcher_that_dies_young_is_followed_by_the_next_ever_later() -> None:
    pause = LaunchPause()
    pauses, at = [], 0.0
    for _ in range(8):
        pause.began(at)
        until = pause.until(at + 0.5)
        pauses.append(until - at - 0.5)
        at = until
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    pause.began(at)
    assert pause.until(at + 60) == at + 61
