"""What becomes of attempts that the queue thinks are here and are not."""

from pathlib import Path
from typing import Any

import pytest

from mlq.lifecycle import Event
from mlq.settings import Settings
from mlq.store.operations import Move
from mlq.store.replies import HeldAttempt
from mlq_worker.endings import History
from mlq_worker.liveness.strays import stray_moves


def settings(folder: Path) -> Settings:

    from redis_server import installation

    from mlq.settings import load

    return load(installation(folder)).settings._replace(machine="lab01")


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    known = settings(tmp_path)

    def run(
        stray: HeldAttempt, result: dict[str, Any] | None = None, past: History | None = None
    ) -> Move:
        results = {} if result is None else {stray.key: result}
        histories = {} if past is None else {stray.id: past}
        (move,) = stray_moves([stray], results, histories, "sup-now", "boot-now", known)
        return move

    return run


def stray(boot_id: str, supervisor_id: str, stop: str = "") -> HeldAttempt:
    return HeldAttempt("7", 2, "lab01", boot_id, supervisor_id, 0, stop)


def test_a_reboot_lost_it(judge: Any) -> None:
    move = judge(stray("boot-before", "sup-before"))
    assert (move.event, move.attempt, move.lost_on) == (Event.LOSE, 2, "lab01")
    assert move.fields["mlq_reason"] == "lost: machine lab01 rebooted"


def test_a_killed_supervisor_lost_it(judge: Any) -> None:
    move = judge(stray("boot-now", "sup-before"))
    assert move.event is Event.LOSE
    assert move.fields["mlq_reason"] == "lost: the supervisor on lab01 was restarted"


def test_a_claim_that_never_became_an_order_is_handed_back_and_counts_as_nothing(
    judge: Any,
) -> None:
    move = judge(stray("boot-now", "sup-now"))
    assert (move.event, move.lost_on) == (Event.RELEASE, "")


def test_unless_its_user_wants_it_to_end(judge: Any) -> None:
    move = judge(stray("boot-now", "sup-now", stop="canceled"))
    assert (move.event, move.fields["mlq_reason"]) == (Event.CANCEL, "canceled")


@pytest.mark.parametrize("boot_id", ["boot-now", "boot-before"])
def test_a_result_on_nfs_is_the_truth_however_it_was_lost(judge: Any, boot_id: str) -> None:
    result = {
        "id": "7",
        "attempt": 2,
        "machine": "lab01",
        "outcome": "exited",
        "exit_code": 0,
        "reason": "",
        "ended_at": "2026-11-23T22:15:01.123456Z",
    }
    assert judge(stray(boot_id, "sup-before"), result).event is Event.SUCCEED


def test_the_jobs_past_decides_too(judge: Any) -> None:
    assert judge(stray("boot-before", "s"), past=History(losses=5)).event is Event.GIVE_UP
    stopped = judge(stray("boot-before", "s"), past=History(stop="canceled"))
    assert stopped.event is Event.CANCEL
