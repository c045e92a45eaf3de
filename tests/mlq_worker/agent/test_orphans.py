"""What becomes of attempts that the queue thinks are here and are not."""

from pathlib import Path
from typing import Any

import pytest

from mlq.files.strict_files import Refused, Unreadable
from mlq.jobs.lifecycle import Event
from mlq.settings.settings import Settings
from mlq.store.operations import Move
from mlq.store.replies import HeldAttempt
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.history import History
from mlq_worker.agent.nfs import End
from mlq_worker.agent.orphans import Here, orphan_moves


def settings(folder: Path) -> Settings:

    from redis_server import installation

    from mlq.settings.load import load

    return load(installation(folder)).settings._replace(machine="lab01")


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    known = settings(tmp_path)

    def run(
        orphan: HeldAttempt, end: End | None = None, past: History | None = None
    ) -> Move | None:
        results = {} if end is None else {orphan.key: end}
        histories = {} if past is None else {orphan.id: past}
        here = Here(known, "boot-now", "sup-now")
        moves = orphan_moves([orphan], results, histories, here, 1.8e9)
        return moves[0] if moves else None

    return run


def orphan(boot_id: str, supervisor_id: str, stop: str = "") -> HeldAttempt:
    return HeldAttempt("7", 2, "lab01", boot_id, supervisor_id, 0, stop)


def test_a_reboot_lost_it(judge: Any) -> None:
    move = judge(orphan("boot-before", "sup-before"))
    assert (move.event, move.attempt, move.lost_on) == (Event.LOSE, 2, "lab01")
    assert move.fields["mlq_reason"] == "lost: machine lab01 rebooted"


def test_a_killed_supervisor_lost_it(judge: Any) -> None:
    move = judge(orphan("boot-now", "sup-before"))
    assert move.event is Event.LOSE
    assert move.fields["mlq_reason"] == "lost: the supervisor on lab01 was restarted"


def test_a_claim_that_never_became_an_order_is_handed_back_and_counts_as_nothing(
    judge: Any,
) -> None:
    move = judge(orphan("boot-now", "sup-now"))
    assert (move.event, move.lost_on) == (Event.RELEASE, "")


def test_unless_its_user_wants_it_to_end(judge: Any) -> None:
    move = judge(orphan("boot-now", "sup-now", stop="canceled"))
    assert (move.event, move.fields["mlq_reason"]) == (Event.CANCEL, "canceled")


@pytest.mark.parametrize("boot_id", ["boot-now", "boot-before"])
def test_a_result_on_nfs_is_the_truth_however_it_was_lost(judge: Any, boot_id: str) -> None:
    result = AttemptResult("7", 2, "lab01", "exited", 0, "", "", "2026-11-23T22:15:01.123456Z", "")
    assert judge(orphan(boot_id, "sup-before"), result).event is Event.SUCCEED


def test_the_jobs_past_decides_too(judge: Any) -> None:
    assert judge(orphan("boot-before", "s"), past=History(losses=5)).event is Event.GIVE_UP
    stopped = judge(orphan("boot-before", "s"), past=History(stop="canceled"))
    assert stopped.event is Event.CANCEL


@pytest.mark.parametrize("boot_id", ["boot-now", "boot-before"])
def test_a_result_that_is_none_ends_it_with_that_reason(judge: Any, boot_id: str) -> None:
    move = judge(orphan(boot_id, "sup-before"), Refused("is a named pipe"))
    assert (move.event, move.lost_on) == (Event.FAIL, "")
    assert move.fields["mlq_reason"] == "its result.json is not a result: it is a named pipe"
    again = judge(orphan(boot_id, "sup-before"), Refused("is empty"), History(retries=1))
    assert again.event is Event.RETRY


def test_a_result_that_cannot_be_read_is_no_evidence_but_its_users_wish_is_one(judge: Any) -> None:
    nothing = Unreadable("Input/output error")
    assert judge(orphan("boot-before", "sup-before"), nothing) is None
    wish = judge(orphan("boot-before", "s", stop="canceled"), nothing, History(stop="canceled"))
    assert wish.event is Event.CANCEL
