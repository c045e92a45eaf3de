"""Who makes the copy of the queue's jobs, when, and when the role is let go."""

from dataclasses import replace

from mlq_worker.agent.copying import GIVES_UP_S, CopierFacts, GiveCopyingUp, MakeCopy, keep_copy

OURS = CopierFacts(now_s=100.0, holder="lab01")


def test_only_the_holder_of_the_role_makes_a_copy_and_only_when_it_is_due() -> None:
    assert keep_copy(OURS, "lab01") == [MakeCopy()]
    assert keep_copy(OURS, "lab02") == []
    assert keep_copy(replace(OURS, holder=None), "lab01") == []
    assert keep_copy(replace(OURS, due_s=101.0), "lab01") == []


def test_a_copy_is_not_asked_for_while_one_is_being_made() -> None:
    assert keep_copy(replace(OURS, busy_since_s=99.0), "lab01") == []


def test_a_holder_that_gets_no_copy_written_lets_the_role_go_once() -> None:
    assert keep_copy(replace(OURS, trouble="disk full"), "lab01") == [GiveCopyingUp("disk full")]
    stuck = replace(OURS, busy_since_s=99.0 - GIVES_UP_S)
    (give_up,) = keep_copy(stuck, "lab01")
    assert isinstance(give_up, GiveCopyingUp)
    away = replace(stuck, away_until_s=101.0)
    assert not away.may_take_role
    assert keep_copy(away, "lab01") == []
