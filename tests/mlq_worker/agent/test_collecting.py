"""When the collector looks at which attempt, and how long an attempt's end waits for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mlq.jobs.request import Request
from mlq.metrics.advance import Advance
from mlq.settings.load import load
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.collecting import (
    PATIENCE_S,
    SOON_S,
    Collect,
    CollectorFacts,
    collect,
    wants_last_reading,
)
from mlq_worker.agent.collector_child import Answer
from mlq_worker.agent.collector_role import (
    LEFT_OUT,
    LONGEST_LAST_S,
    LONGEST_WAIT_S,
    CollectorRole,
)
from mlq_worker.agent.context import Clocks, MachineContext
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.collector.protocol import Figures, Found, Wanted
from mlq_worker.probes.cores import CoreReport
from mlq_worker.probes.machine import Limits, MachineReport
from mlq_worker.probes.memory import MemoryReport

SEVEN, EIGHT = ("7", 1), ("8", 1)
FIGURES = Figures('{"loss":[1,1,1,1,1,1]}', Advance(0.5))


def local(job_id: str = "7", **changes: Any) -> LocalAttempt:
    fields: dict[str, Any] = {
        "attempt": (job_id, 1),
        "class_name": "p0.c1.m100.g0.v0",
        "request": Request(2, 100),
        "gpu_uuids": (),
        "history": History(),
        "prefetched": False,
        "started_s": 0.0,
        "time_limit_s": None,
        "leader_pid": 50,
    }
    return LocalAttempt(**{**fields, **changes})


def result(job_id: str = "7", seconds: float = 5.0, started: bool = True) -> AttemptResult:
    started_at = "2026-11-23T22:15:00.000000Z" if started else ""
    ended_at = f"2026-11-23T22:15:{seconds:09.6f}Z"
    return AttemptResult(job_id, 1, "lab01", "exited", 0, "", started_at, ended_at)


# --- what is decided -----------------------------------------------------------------------------


def test_what_is_due_is_asked_for_in_one_go() -> None:
    facts = CollectorFacts(
        True, 0.0, {SEVEN: 100.0, EIGHT: 101.0}, {("9", 1): 99.0}, {}, frozenset({SEVEN, EIGHT})
    )
    assert collect(facts, 100.0) == [Collect((SEVEN,), (("9", 1),), (EIGHT,))]
    assert collect(replace(facts, is_free=False), 100.0) == []
    assert collect(replace(facts, ask_s=100.5), 100.0) == []
    assert collect(CollectorFacts(True, 0.0, {SEVEN: 100.5}), 100.0) == []


def test_an_end_waits_for_its_last_reading_but_not_for_long() -> None:
    facts = CollectorFacts(True, last={SEVEN: 100.0})
    assert facts.is_awaited(SEVEN, 100.0 + PATIENCE_S - 0.1)
    assert not facts.is_awaited(SEVEN, 100.0 + PATIENCE_S)
    assert not facts.is_awaited(EIGHT, 100.0)


def test_nobody_waits_for_a_moment_that_is_over() -> None:
    busy = CollectorFacts(False, 0.0, {SEVEN: 90.0}, {SEVEN: 50.0, EIGHT: 99.0})
    assert busy.next_s(100.0) == 99.0 + PATIENCE_S
    assert busy.next_s(200.0) == float("inf")
    free = replace(busy, is_free=True, ask_s=101.0)
    assert free.next_s(100.0) == 101.0
    assert CollectorFacts(True, 0.0, {SEVEN: 130.0}).next_s(100.0) == 130.0
    assert CollectorFacts(True).next_s(100.0) == float("inf")


@pytest.mark.parametrize(
    ("ended", "has_reported", "wanted"),
    [
        (result(seconds=5.0), False, True),
        (result(seconds=0.01), False, False),
        (result(seconds=0.01), True, True),
        (replace(result(seconds=0.01), has_said=True), False, True),
        (result(started=False), True, False),
    ],
)
def test_who_ran_for_a_moment_or_never_is_not_read(
    ended: AttemptResult, has_reported: bool, wanted: bool
) -> None:
    assert wants_last_reading(ended, has_reported) == wanted


# --- what it is decided from ---------------------------------------------------------------------


class Reader:
    """A background reader that answers when it is told to."""

    def __init__(self, *_: object) -> None:
        self.busy = False
        self._question: Callable[[], Answer] | None = None

    def ask(self, question: Callable[[], Answer]) -> bool:
        self.busy, self._question = True, question
        return True

    def answer(self) -> Answer | None:
        if self._question is None:
            return None
        question, self._question, self.busy = self._question, None, False
        return question()


class Bench:
    """A role, its attempts and a collector that answers as it is told; turns take a second."""

    def __init__(self, *held: LocalAttempt) -> None:
        self.now_s = 0.0
        self.attempts = AttemptTable({one.attempt: one for one in held})
        self.asked: list[Wanted] = []
        self.answer: Callable[[Sequence[Wanted]], Answer] = lambda wanted: Answer(
            tuple(Found(*one.key, FIGURES) for one in wanted)
        )
        environ = {"HOME": "/nowhere", "MLQ_ROOT": "/results", "MLQ_METRICS_S": "30"}
        clock = lambda: self.now_s  # noqa: E731
        context = MachineContext(
            settings=load(environ).settings,
            login={},
            key=None,
            mark_prefix="",
            cwd="/",
            boot_id="boot",
            limits=Limits(),
            probe=None,  # type: ignore[arg-type]
            has_gpus=False,
            clocks=Clocks(clock, clock, clock),
            new_reader=Reader,  # type: ignore[arg-type]
            collector=self,
        )
        self.role = CollectorRole(context, lambda: None)

    def ask(self, wanted: Sequence[Wanted]) -> Answer:
        self.asked = list(wanted)
        return self.answer(wanted)

    def turns(self, until_s: float) -> list[tuple[float, Collect]]:
        """Take turns; return what was asked for, and when."""
        found = []
        while self.now_s <= until_s:
            report = MachineReport(
                "lab01",
                "boot",
                CoreReport(8, 0.0),
                MemoryReport(1000, 1000, {50: 70}),
                cpu_s={50: self.now_s},
                at_s=self.now_s,
            )
            self.role.update(self.attempts, report)
            for action in collect(self.role.facts(), self.now_s):
                self.role.ask(action, self.attempts)
                found.append((self.now_s, action))
            self.now_s += 1
        return found

    def end(self, key: tuple[str, int], seconds: float = 5.0) -> None:
        self.attempts.by_key[key].result = result(key[0], seconds)


def test_an_attempt_is_read_soon_and_then_every_so_often() -> None:
    bench = Bench(local())
    asked = bench.turns(75)
    assert [at_s for at_s, one in asked if one.read] == [SOON_S, SOON_S + 30, SOON_S + 60]
    assert bench.attempts.by_key[SEVEN].figures == FIGURES


def test_samples_are_stored_as_they_come_and_once() -> None:
    bench = Bench(local())
    bench.turns(9)
    stored = []
    for until_s in range(10, 60):
        bench.asked = []
        bench.turns(until_s)
        stored += [sample.at_s for one in bench.asked for sample in one.samples]
    assert stored == [10, 20, 30, 40, 50]


def test_samples_that_could_not_be_stored_are_sent_again_with_the_next_reading() -> None:
    bench = Bench(local())
    answer = bench.answer
    bench.answer = lambda wanted: Answer(
        tuple(Found(*one.key, FIGURES, "no space left") for one in wanted)
    )
    asked = bench.turns(39)
    assert [at_s for at_s, _ in asked] == [SOON_S], "a full disk is not tried without end"
    assert bench.attempts.by_key[SEVEN].figures == FIGURES, "what is known is told all the same"
    bench.answer = answer
    bench.turns(45)
    assert [one.at_s for one in bench.asked[0].samples] == [10, 20, 30, 40]
    asked = bench.turns(55)
    assert [at_s for at_s, one in asked if one.samples] == [50], "all is well again"


def test_an_attempt_that_has_ended_is_read_once_more() -> None:
    bench = Bench(local(), local("8", leader_pid=60))
    bench.turns(3)
    bench.end(SEVEN)
    bench.end(EIGHT, 0.05)
    assert bench.turns(4) == [(4, Collect(last=(SEVEN,)))]
    assert bench.role.facts().is_awaited(SEVEN, 5)
    assert not bench.role.facts().is_awaited(EIGHT, 5)
    bench.turns(5)
    assert (bench.asked[0].is_last, bench.asked[0].samples[0].over_s) == (True, 3)
    assert not bench.role.facts().is_awaited(SEVEN, 5)
    assert bench.turns(200) == []


def test_an_attempt_of_which_there_is_more_to_read_is_read_again_at_once() -> None:
    bench = Bench(local())
    parts = iter([True, True, False])
    bench.answer = lambda wanted: Answer(
        tuple(Found(*one.key, FIGURES, "", next(parts, False)) for one in wanted)
    )
    asked = bench.turns(45)
    assert [at_s for at_s, one in asked if one.read] == [SOON_S, SOON_S + 2, SOON_S + 4, 44]
    parts = iter([True, False])
    bench.end(SEVEN)
    asked = bench.turns(50)
    assert [at_s for at_s, one in asked if one.last] == [46, 47]
    assert bench.role.facts().last == {}


def test_no_attempt_is_read_without_end() -> None:
    bench = Bench(local())
    bench.answer = lambda wanted: Answer(
        tuple(Found(*one.key, FIGURES, "", is_behind=True) for one in wanted)
    )
    bench.turns(3)
    bench.end(SEVEN)
    bench.turns(3 + LONGEST_WAIT_S)
    assert bench.role.facts().is_awaited(SEVEN, bench.now_s)
    bench.turns(3 + LONGEST_WAIT_S + PATIENCE_S)
    assert not bench.role.facts().is_awaited(SEVEN, bench.now_s), "its end waits no longer"
    assert 50 < len(bench.turns(300)) < LONGEST_LAST_S
    assert bench.role.facts().last == {}


def test_what_comes_after_the_end_was_committed_is_still_written() -> None:
    bench = Bench(local())
    bench.turns(3)
    bench.end(SEVEN)
    bench.answer = lambda _: Answer(fault="it did not answer")
    bench.turns(9)
    bench.attempts.by_key.clear()
    assert not bench.role.facts().is_awaited(SEVEN, 10)
    bench.answer = lambda wanted: Answer(tuple(Found(*one.key, FIGURES) for one in wanted))
    assert bench.turns(14)
    facts = bench.role.facts()
    assert (facts.last, facts.late) == ({}, ((SEVEN, FIGURES),))
    bench.role.annotated(facts.late)
    assert bench.role.facts().late == ()


def test_what_is_known_stays_while_the_root_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(local())
    answer = bench.answer
    bench.turns(12)
    bench.answer = lambda wanted: Answer(
        tuple(Found(*one.key, Figures(), "no answer") for one in wanted)
    )
    bench.turns(41)
    bench.end(SEVEN)
    asked = bench.turns(52)
    assert bench.attempts.by_key[SEVEN].figures == FIGURES
    assert [at_s for at_s, one in asked if one.last] == [42, 45, 50], "after a longer pause"
    assert caplog.text.count("no answer") == 1
    bench.attempts.by_key[EIGHT] = local("8", leader_pid=60)
    bench.turns(53)
    bench.end(EIGHT)
    assert [one.last for _, one in bench.turns(54)] == [(EIGHT,)], "nobody else waits for it"
    bench.answer = answer
    bench.turns(70)
    assert bench.role.facts().last == {}


def test_a_collector_that_fails_is_not_asked_at_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(local())
    bench.turns(3)
    bench.end(SEVEN)
    bench.answer = lambda _: Answer(fault="it did not answer for 20 s")
    asked = bench.turns(23)
    assert len(asked) < 10
    assert caplog.text.count("did not answer") == 1, "it is said once"


def test_who_hangs_it_twice_is_left_out_with_a_note() -> None:
    bench = Bench(local(), local("8", leader_pid=60))

    def hang(wanted: Sequence[Wanted]) -> Answer:
        good = tuple(Found(*one.key, FIGURES._replace(notes=one.notes)) for one in wanted)
        if any(one.key == SEVEN and one.reads for one in wanted):
            others = tuple(one for one in good if one.key != SEVEN)
            return Answer(others, SEVEN, "it did not answer for 20 s")
        return Answer(good)

    bench.answer = hang
    asked = bench.turns(200)
    reads = [one.read for _, one in asked]
    assert sum(SEVEN in read for read in reads) == 2
    assert sum(EIGHT in read for read in reads) == 7
    assert bench.attempts.by_key[EIGHT].figures == FIGURES
    assert bench.attempts.by_key[SEVEN].figures.notes == (LEFT_OUT,)
    bench.end(SEVEN)
    bench.turns(203)
    assert bench.asked[0]._replace(samples=()) == Wanted(
        "7", 1, cores=2, mem_mib=100, reads=False, is_last=True, notes=(LEFT_OUT,)
    )


def test_of_an_attempt_that_is_no_longer_held_nothing_is_kept() -> None:
    bench = Bench(local())
    bench.turns(25)
    bench.attempts.by_key.clear()
    assert bench.turns(200) == []
    assert bench.role.facts() == CollectorFacts(True)
