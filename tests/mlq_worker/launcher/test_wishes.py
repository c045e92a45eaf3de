"""What attempts ask of their launcher by a file, and what becomes of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attempt_events import order

from mlq.jobs.attempt import AttemptId
from mlq.jobs.own_attempt import leave_wish
from mlq_worker.ipc.launcher_messages import News, Wish
from mlq_worker.ipc.values import REQUEUED, Result, Started
from mlq_worker.launcher.attempt import LaunchedAttempt
from mlq_worker.launcher.wishes import LOOK_S, Wishes, WishWatch

ONE = AttemptId("1042_7", 3)


def launched() -> LaunchedAttempt:
    attempt = LaunchedAttempt(order(ONE.job_id, attempt=ONE), 0)
    attempt.started = Started(ONE, 1, 1, "", at=100.0)
    return attempt


def result(outcome: Any) -> Result:
    place = ("lab01", "boot", outcome, 0, None, "exit 0", "", "")
    return Result(ONE, *place, cpu_s=0.0, max_rss_mib=1)


def test_a_running_attempt_is_told_of_once(tmp_path: Path) -> None:
    wishes, heard = Wishes(tmp_path), list[Wish]()
    watch, attempt = WishWatch(wishes, lambda: 109.0, heard.append), launched()
    assert watch.tick(100, []) == float("inf")
    assert watch.tick(100.5, [attempt]) == 100 + LOOK_S
    assert leave_wish(wishes.variables(ONE))
    assert watch.tick(101.5, [attempt]) == 101.5 + LOOK_S
    assert watch.tick(103, [attempt]) == 103 + LOOK_S
    assert heard == [Wish(ONE, 1.5)]
    assert News.from_json(News(asked=tuple(heard)).to_json()).asked == tuple(heard)


@pytest.mark.parametrize("outcome", ["exited", "signaled", "timeout"])
def test_what_it_asked_at_the_last_moment_stands_in_its_result(
    tmp_path: Path, outcome: str
) -> None:
    wishes = Wishes(tmp_path)
    watch, started = WishWatch(wishes, lambda: 109.0, lambda _: None), launched().started
    assert watch.ended(result(outcome), started) == result(outcome)
    leave_wish(wishes.variables(ONE))
    ended = watch.ended(result(outcome), started)
    assert (ended.outcome, ended.reason, ended.asked_s) == ("released", REQUEUED, 9.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("outcome", ["canceled", "lost", "released", "unstartable"])
def test_who_was_ended_by_somebody_else_asks_in_vain(tmp_path: Path, outcome: str) -> None:
    wishes = Wishes(tmp_path)
    watch = WishWatch(wishes, lambda: 109.0, lambda _: None)
    leave_wish(wishes.variables(ONE))
    assert watch.ended(result(outcome), launched().started) == result(outcome)


def test_what_is_no_file_is_no_wish_and_old_wishes_go(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    (path,) = wishes.variables(ONE).values()
    Path(path).symlink_to("/dev/null")
    assert not wishes.asks(ONE)
    assert not leave_wish(wishes.variables(ONE))
    assert not leave_wish({})
    (tmp_path / "other").touch()
    Wishes(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["other"]
