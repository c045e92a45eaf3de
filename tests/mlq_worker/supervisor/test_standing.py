"""When a supervisor left behind under its machine's name falls silent, and what that may not do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attempt_events import SPANS, order, result

from mlq_worker.liveness.fence import Contact, beaten
from mlq_worker.supervisor.attempt import HeldAttempt, Phase
from mlq_worker.supervisor.standing import ALONE, DISPLACED, Standing


def attempt(phase: Phase, contact: Contact | None = None, **how: Any) -> HeldAttempt:
    one = HeldAttempt(order("1"), contact or Contact(0, 0), phase)
    for field, value in how.items():
        setattr(one, field, value)
    return one


def ended(**how: Any) -> HeldAttempt:
    return attempt(Phase.ENDED, result=replace(result("1"), **how))


def long_alone(*held: HeldAttempt, now: float = 200) -> str:
    """Return why one is silent that had no worker from 0 on."""
    return Standing(SPANS, 0).look(held, now, has_worker=False)


def test_while_another_holds_the_name_it_is_silent_whatever_runs() -> None:
    standing, runs = Standing(SPANS, 0), attempt(Phase.RUNNING)
    standing.renewed(displaced=True)
    for has_worker in (True, False):  # nor does a worker that leaves change that
        assert standing.look([runs], 5, has_worker=has_worker) == DISPLACED
    standing.renewed(displaced=False)
    assert standing.look([runs], 6, has_worker=True) == ""


def test_without_a_worker_the_beat_protects_what_runs() -> None:
    runs = attempt(Phase.RUNNING, Contact(0, 195))
    assert long_alone(runs, now=1e6) == ""
    assert long_alone(ended(), runs) == ""


def test_without_a_worker_for_long_and_with_nothing_to_protect_it_is_silent() -> None:
    paused = attempt(Phase.RUNNING, paused_by={"fence": ""})
    never_began = attempt(Phase.WAITING)
    assert long_alone(ended(), paused, never_began) == ALONE
    assert long_alone(ended(), paused, now=89) == ""


def test_what_a_beat_could_resume_is_protected_by_it() -> None:
    paused = attempt(Phase.RUNNING, Contact(0, 130), paused_by={"fence": ""})
    assert beaten(paused.contact, 200, 201, SPANS) != paused.contact
    assert long_alone(paused) == ""
    assert beaten(paused.contact, 219, 220, SPANS) == paused.contact
    assert long_alone(paused, now=220) == ALONE


def test_what_only_this_supervisor_knows_is_protected() -> None:
    assert long_alone(ended(unwritten=True)) == ""
    assert long_alone(attempt(Phase.RECORDING)) == ""
    assert long_alone(attempt(Phase.STARTING)) == ""


def test_it_beats_again_once_a_worker_has_renewed_not_once_one_has_come() -> None:
    standing = Standing(SPANS, 0)
    assert standing.look([ended()], 90, has_worker=False) == ALONE
    assert standing.look([ended()], 91, has_worker=True) == ALONE
    standing.renewed(displaced=False)
    assert standing.look([ended()], 92, has_worker=True) == ""
    assert standing.look([ended()], 181, has_worker=False) == ""  # a worker was there till 92
    assert standing.look([ended()], 182, has_worker=False) == ALONE
