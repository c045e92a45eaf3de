"""What is missing on a machine is left to the others, unless they lack it too."""

from __future__ import annotations

from typing import Any

from mlq.jobs.machine_state import FRESH_S
from mlq.jobs.request import Request
from mlq_worker.agent.absences import FIRST_S, GROWTH, Absences
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.ipc.causes import Cause, Kind

LEASE_S = 45.0
AT = "2026-11-26T18:00:00.000000Z"
CLASS = "p0.c1.m1024.g0.v0"
BIG = "p0.c64.m1024.g0.v0"
ROOMY = {"cores_total": 8, "mem_total_mib": 8192, "cores_free": 0}


def ended(job_id: str = "7", kind: str = "folder", started_at: str = "") -> LocalAttempt:
    local = LocalAttempt((job_id, 1), CLASS, Request(1, 1024), (), History(), False, 0.0, None)
    local.needs = "f1 c2 s3"
    cause = Cause(Kind(kind), "/data")
    reason = "missing: /data"
    local.result = AttemptResult(
        job_id, 1, "lab01", "unstartable", 127, reason, started_at, AT, cause=cause
    )
    return local


def other(heard_s: float = 1.0, *words: str, **record: Any) -> tuple[float, dict[str, Any]]:
    return heard_s, {**ROOMY, "lacks": [{"word": word} for word in words], **record}


def seen(*machines: tuple[float, dict[str, Any]]) -> Absences:
    absences = Absences("lab01")
    absences.see([ended()], 0.0)
    named = {f"lab{number:02}": one for number, one in enumerate(machines, 2)}
    absences.compare({"lab01": other(1.0, "f1"), **named}, LEASE_S)
    return absences


def test_a_job_is_judged_once_it_is_known_what_the_others_have() -> None:
    absences = Absences("lab01")
    absences.see([ended()], 0.0)
    assert absences.is_new
    assert not absences.is_judged(ended())
    assert absences.is_judged(ended(kind=""))
    absences.compare({"lab02": other()}, LEASE_S)
    assert not absences.is_new
    assert absences.is_judged(ended())


def test_what_another_may_have_is_left_to_it() -> None:
    absences = seen(other())
    assert absences.nowhere(ended()) == ""
    assert absences.to_leave([CLASS], 2048) == {CLASS: {"f1"}}


def test_what_nobody_has_is_tried_and_fails_with_all_their_names() -> None:
    absences = seen(other(1.0, "f1"), other(1.0, "f1"))
    assert absences.nowhere(ended()) == "missing: /data, on lab01, lab02 and lab03"
    assert absences.to_leave([CLASS], 2048) == {CLASS: set()}
    assert seen().nowhere(ended()) == "missing: /data, on lab01"
    many = seen(*(other(1.0, "f1") for _ in range(9)))
    assert many.nowhere(ended()) == "missing: /data, on lab01, lab02, lab03, lab04 and 6 more"


def test_a_machine_that_is_silent_or_too_small_is_not_counted_on() -> None:
    assert seen(other(LEASE_S + 1)).nowhere(ended())
    small = seen(other(cores_total=1))
    assert small.nowhere(ended()) == ""
    assert small.to_leave([BIG], 2048) == {BIG: set()}


def test_what_another_missed_long_ago_it_may_have_again() -> None:
    absences = Absences("lab01")
    absences.see([ended()], 0.0)
    for ago_s, heard_s, left in ((FRESH_S - 5, 1.0, set()), (FRESH_S - 5, 9.0, {"f1"})):
        record = {**ROOMY, "lacks": [{"word": "f1", "missed_s_ago": ago_s}]}
        absences.compare({"lab02": (heard_s, record)}, LEASE_S)
        assert absences.to_leave([CLASS], 2048) == {CLASS: left}
        assert bool(absences.nowhere(ended())) is not bool(left)


def test_a_mark_goes_after_a_pause_that_grows_or_when_a_job_finds_it() -> None:
    absences = seen(other())
    absences.see([], FIRST_S)
    assert absences.words == set()
    absences.see([ended("8")], FIRST_S)
    absences.see([ended("8")], FIRST_S * (1 + GROWTH) - 1)
    assert absences.words == {"f1"}
    assert [one["what"] for one in absences.as_json()] == ["/data"]
    absences.see([ended("9", kind="", started_at=AT)], FIRST_S)
    assert absences.words == set()
    assert absences.as_json() == []


def test_each_kind_marks_its_own_word_and_nonsense_none() -> None:
    for kind, words in {"command": {"c2"}, "environment": set(), "machine": set()}.items():
        absences = Absences("lab01")
        absences.see([ended(kind=kind)], 0.0)
        assert absences.words == words
    absences.compare({"lab02": (1.0, {"lacks": "nonsense"})}, LEASE_S)
    absences.compare({"lab02": (1.0, {"lacks": [None, {"word": 7}]})}, LEASE_S)
