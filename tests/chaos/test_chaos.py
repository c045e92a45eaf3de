"""A little chaos in every run of the suite, and the judge itself; `make chaos` is the long one."""

from __future__ import annotations

from intervals import Overlap
from local_lab import DEAD_S, new_lab

from chaos.__main__ import Chaos, report
from chaos.judge import Evidence, Freeze, Verdict, excuses, judge

JOBS = 120


def test_no_job_is_lost_failed_or_doubled() -> None:
    with new_lab(MLQ_MAX_LOSSES="1000") as lab:
        machines = [lab.machine(f"m{number}") for number in (1, 2)]
        chaos = Chaos(lab, JOBS, seed=1, say=lambda _: None)
        verdict = chaos.run(machines)
        assert verdict.ok, report(chaos, verdict, 0.0)
        assert verdict.acknowledged >= JOBS
        assert chaos.counts.total() > 0


def judged(**known: object) -> Verdict:
    about: dict[str, object] = {
        "acknowledged": ["1"],
        "ends": {"1": ("finished", "")},
        "ticks": {"1": {1: [0.0, 0.1]}},
        "done": frozenset({"1"}),
        "machines": {("1", 1): "m1", ("1", 2): "m2"},
        "freezes": [],
    }
    return judge(Evidence(**{**about, **known}), DEAD_S)  # type: ignore[arg-type]


def test_a_job_that_ran_to_its_end_is_well() -> None:
    assert judged().ok


def test_a_job_that_has_not_ended_is_lost() -> None:
    assert judged(ends={}).lost == ["1"]


def test_a_job_that_failed_is_told_with_its_reason() -> None:
    assert judged(ends={"1": ("failed", "why")}).failed == {"1": "failed: why"}


def test_a_finished_job_that_never_ran_to_its_end_is_told() -> None:
    assert judged(done=frozenset()).short == ["1"]


def test_two_attempts_at_once_are_told() -> None:
    (found,) = judged(ticks={"1": {1: [0.0, 0.1, 0.2], 2: [0.1]}}).doubled
    assert found.attempts == (1, 2)


def test_an_overlap_late_in_a_freeze_of_its_machine_is_excused() -> None:
    ticks = {"1": {1: [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8], 2: [2.5]}}
    assert not judged(ticks=ticks, freezes=[Freeze("m1", 0.0, 3.0)]).doubled
    assert judged(ticks=ticks, freezes=[Freeze("m3", 0.0, 3.0)]).doubled


def test_a_short_freeze_excuses_nothing() -> None:
    assert not excuses(Freeze("m1", 0.0, DEAD_S / 4), Overlap("1", (1, 2), 0.1, 0.2), DEAD_S)
