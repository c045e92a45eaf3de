"""The supervisor's decisions, without a clock, a process or a socket."""

from __future__ import annotations

from typing import Any

import pytest
from attempt_events import Supervised, at, ended, name, order, running, started, stop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.values import StopSignal
from mlq_worker.supervisor.attempt import Phase
from mlq_worker.supervisor.events import (
    Beaten,
    FenceTicked,
    ForgetAsked,
    LauncherCleared,
    LauncherDied,
    LauncherStarted,
    LeaderEnded,
    RequeueAsked,
    SignalAsked,
    SignalUnheeded,
    Stored,
    TooLate,
)


def test_an_order_may_be_started_only_as_long_as_its_contact_lasts() -> None:
    held = Supervised()
    held.order(order("1"), now=100)
    held.tick(101)
    assert [(item.attempt.job_id, until) for item, until, _ in held.take().spawn] == [("1", 140)]


def test_an_order_that_is_repeated_changes_nothing() -> None:
    held = running(order("1"))
    held.order(order("1", argv=("false",)), now=1)
    held.tick(1)
    assert not held.take().spawn
    assert held.attempt("1").order.argv == ("true",)


def test_nothing_is_started_without_a_launcher() -> None:
    held = Supervised()
    held.happen(LauncherDied())
    held.order(order("1"), now=0)
    held.tick(0)
    assert not held.take().spawn
    held.happen(LauncherCleared(at(1)), LauncherStarted())
    held.tick(1)
    assert [item.attempt.job_id for item, *_ in held.take().spawn] == ["1"]


def test_what_the_launcher_started_too_late_waits_at_the_head_of_its_lane() -> None:
    held = Supervised(ahead=0)
    held.order(order("1", lane="x"), order("2", lane="x"), now=0)
    held.tick(0)
    held.happen(TooLate(name("1"), at(50)))
    held.tick(50)
    assert held.take().spawn[1:] == []
    held.confirm(51, "2", "1")
    held.tick(52)
    assert [item.attempt.job_id for item, *_ in held.take().spawn] == ["1"]


def test_what_was_to_be_stopped_and_is_too_late_has_ended() -> None:
    held = Supervised()
    held.order(order("1"), now=0)
    held.tick(0)
    held.happen(stop("1", "canceled", 1), TooLate(name("1"), at(2)))
    out = held.take()
    assert [one.outcome for one in out.ended] == [one.outcome for one in out.record]
    assert [one.outcome for one in out.ended] == ["canceled"]


def test_the_launcher_has_some_of_a_lane_at_hand_and_its_latest_width() -> None:
    held = Supervised(ahead=2)
    given = [order(str(n), lane="x", width=1 + (n > 3)) for n in range(1, 7)]
    held.order(*given, now=0)
    held.tick(0)
    spawned = [item for item, *_ in held.take().spawn]
    assert [item.attempt.job_id for item in spawned] == ["1", "2", "3", "4"]
    assert {item.width for item in spawned} == {2}
    assert given[0].width == 1  # nobody writes into an order
    held.happen(started("1", 1), ended("1"))
    held.tick(1)
    assert [item.attempt.job_id for item, *_ in held.take().spawn] == ["5"]


def test_a_job_that_runs_is_told_to_the_worker_with_its_keeper() -> None:
    held = Supervised()
    held.order(order("1"), now=0)
    held.tick(0)
    assert held.states() == {"1": "waiting"}
    held.happen(started("1", 0.5))
    assert [one.pid for one in held.take().started] == [7]
    assert held.states() == {"1": "running"}


def test_what_is_to_be_stopped_before_it_runs_is_told_to_end_once_it_does() -> None:
    held = Supervised()
    held.order(order("1"), now=0)
    held.tick(0)
    held.take()
    held.happen(stop("1", "canceled", 1))
    out = held.take()
    assert [one.outcome for one in out.announce] == ["canceled"]
    held.happen(started("1", 2))
    assert [target.pid for target in held.take().terminate] == [7]


def test_an_end_is_reported_once_its_result_is_stored() -> None:
    held = running(order("1"))
    held.happen(ended("1"))
    assert not held.take().ended
    assert held.states() == {"1": "stopping"}
    held.happen(Stored(name("1"), last_line="Killed", has_said=True))
    (result,) = held.take().ended
    assert (result.last_line, result.unwritten, result.has_said) == ("Killed", False, True)
    assert held.states() == {"1": "ended"}


def test_the_worker_is_told_which_result_could_not_be_written() -> None:
    held = running(order("1"))
    told = ended("1")
    held.happen(told, Stored(name("1"), is_written=False))
    (result,) = held.take().ended
    assert result.unwritten
    assert not told.result.unwritten  # nobody writes into a result


def test_what_has_ended_is_held_until_it_is_forgotten() -> None:
    held = running(order("1"))
    held.happen(ended("1"), Stored(name("1")), ForgetAsked(name("1")))
    assert held.take().forget == [name("1")]
    assert held.state.empty
    held.happen(Stored(name("1")), ForgetAsked(name("1")), stop("1", "canceled", 5))
    held.confirm(6, "1")
    assert not held.take().errors  # the news were under way


def test_a_grace_that_ends_kills_in_rounds_until_the_end() -> None:
    held = running(order("1"))
    held.happen(stop("1", "canceled", 5))
    out = held.take()
    assert [target.pid for target in out.terminate] == [7]
    assert out.announce[0].kill_at == 16
    held.tick(14.9)
    assert not held.take().terminate_all
    held.tick(15.9)
    out = held.take()
    assert [target.pid for target in out.terminate_all] == [7]
    assert not out.kill
    rounds = []
    for tenth in range(160, 190):
        held.tick(tenth / 10)
        rounds += held.take().kill
    assert len(rounds) >= 4
    held.happen(ended("1", "canceled"))
    held.tick(30)
    assert not held.take().kill


def test_what_is_left_when_those_told_have_ended_is_killed_soon() -> None:
    held = running(order("1"))
    held.happen(stop("1", "canceled", 5))
    held.happen(LeaderEnded(held.attempt("1").target, at(6)))
    held.tick(6.1)
    assert [target.pid for target in held.take().kill] == [7]


def test_a_timeout_says_that_the_signal_ahead_of_it_was_not_handled() -> None:
    asked = StopSignal(10, ahead_s=5.0, first_only=False)
    held = running(order("1", time_limit_s=20, signal=asked))
    held.tick(15)
    assert [notice.number for notice in held.take().notify] == [10]
    held.happen(SignalUnheeded(held.attempt("1").target))
    held.tick(20)
    assert "none of its processes handled SIGUSR1" in held.take().announce[0].reason


def test_a_stop_during_a_pause_wakes_nobody() -> None:
    held = running(order("1"))
    held.tick(41)
    assert len(held.take().pause) == 1
    held.happen(stop("1", "canceled", 42))
    held.tick(100)
    out = held.take()
    assert not out.terminate
    assert not out.kill
    held.confirm(101, "1")
    held.tick(101)
    out = held.take()
    assert len(out.resume) == len(out.terminate) == 1
    assert held.state.due_at() == 111  # the grace begins when it can use it


def test_lost_during_a_pause_kills_at_once() -> None:
    held = running(order("1"))
    held.tick(41)
    held.take()
    held.confirm(42, lost=("1",))
    held.tick(42)
    assert len(held.take().kill) == 1


def test_a_pause_is_not_the_jobs_time() -> None:
    held = running(order("1", time_limit_s=60))
    held.tick(45)
    held.tick(500)
    held.confirm(500, "1")
    held.tick(500)
    held.take()
    held.tick(514)
    assert not held.take().announce
    held.tick(515)
    assert held.take().announce[0].reason == "timeout after 1m"


def test_what_started_during_a_pause_is_paused() -> None:
    held = Supervised()
    held.order(order("1"), now=0)
    held.tick(39)
    held.happen(started("1", 39.9), FenceTicked(at(41)))
    assert [target.pid for target in held.take().pause] == [7]


def test_the_machines_beat_protects_what_is_ordered_after_it() -> None:
    held = Supervised()
    held.happen(Beaten(95, 96))
    held.order(order("1"), now=100)
    held.tick(100)
    held.happen(started("1", 100))
    held.tick(155)
    assert not held.take().pause
    held.tick(155.1)
    assert held.take().pause


def test_no_beat_speaks_for_an_order_that_was_claimed_long_before_it() -> None:
    # The worker was frozen for minutes with the claim in its hand: the reaper has seen beat after
    # beat without the attempt, and the job may run elsewhere. Only Redis can tell.
    held = Supervised()
    held.happen(Beaten(380, 380.1))
    held.order(order("1"), now=0)
    held.tick(385)
    assert held.take().spawn == []
    held.happen(Beaten(390, 390.1))
    held.tick(391)
    assert held.take().spawn == []
    held.confirm(391, "1")
    held.tick(392)
    assert [item.attempt.job_id for item, *_ in held.take().spawn] == ["1"]


def test_a_later_word_of_the_worker_replaces_an_earlier_one() -> None:
    held = running(order("1"))
    held.happen(stop("1", "released", 1), stop("1", "canceled", 2))
    out = held.take()
    assert [one.outcome for one in out.announce] == ["released", "canceled"]
    assert len(out.terminate) == 1
    assert held.states() == {"1": "stopping"}


def test_the_dead_launchers_jobs_are_lost_and_the_waiting_ones_wait() -> None:
    held = running(order("1", lane="x"), order("2", lane="x"), order("3"))
    held.happen(ended("3"), LauncherDied())
    assert [result.attempt.job_id for result in held.take().ended] == ["3"]
    held.tick(1)
    assert not held.take().spawn
    held.happen(LauncherCleared(at(2)))
    out = held.take()
    assert [(result.attempt.job_id, result.outcome) for result in out.ended] == [("1", "lost")]
    assert out.ended[0].started_at == "utc"
    held.happen(LauncherStarted())
    held.tick(3)
    assert [item.attempt.job_id for item, *_ in held.take().spawn] == ["2"]


def test_a_result_that_another_launcher_wrote_gets_its_last_line() -> None:
    held = running(order("1"))
    held.happen(ended("1"))
    held.replace_launcher(1)
    held.take()
    held.happen(Stored(name("1"), last_line="out of memory"))
    assert not held.take().ended  # it was reported when the first launcher died
    told = held.attempt("1").held().result
    assert told is not None
    assert told.last_line == "out of memory"


def test_an_impossible_event_tells_the_story_of_its_attempt_and_no_other_is_touched() -> None:
    secret = {"TOKEN": "hidden"}
    held = running(order("1", env=secret), order("2"))
    before = (held.attempt("1").phase, held.attempt("1").started)
    held.happen(Stored(name("1")))
    out = held.take()
    (error,) = out.errors
    assert error == (
        "Stored cannot happen to job 1 attempt 1 in phase RUNNING (what happened to it before: "
        "0.0 OrderReceived UNHELD -> WAITING; 0.0 Ticked WAITING -> STARTING; "
        "0.0 Started STARTING -> RUNNING)"
    )
    out.errors.clear()
    assert out == Supervised().take()  # nothing else is to be done
    assert (held.attempt("1").phase, held.attempt("1").started) == before
    held.happen(ended("1"), Stored(name("1")), ended("2"), Stored(name("2")))
    assert [one.attempt.job_id for one in held.take().ended] == ["1", "2"]


def test_an_impossible_event_about_nothing_that_is_held_says_so() -> None:
    held = Supervised()
    held.happen(ended("5"))
    assert held.take().errors == ["Ended cannot happen to job 5 attempt 1, which is not held"]
    assert held.state.empty


def test_a_story_says_what_came_of_time_and_is_bounded() -> None:
    held = running(order("1"))
    for second in range(1, 100):
        held.happen(FenceTicked(at(second)))
        held.tick(second)
    held.happen(stop("1", "canceled", 100))
    story = held.attempt("1").story()
    assert story.endswith(
        "41.0 it is paused: no contact with the queue or with NFS; 100.0 it is to end: canceled; "
        "99.0 StopAsked RUNNING -> RUNNING"
    )
    for _ in range(100):
        held.happen(stop("1", "canceled", 101))
    assert len(held.attempt("1").events) == 12


class Life(RuleBasedStateMachine):
    """Any order of events: lanes fill the launcher no further than told, each attempt ends once.

    And each can be forgotten, and nothing that can happen is taken to be impossible.
    """

    jobs = st.sampled_from("12345")

    def __init__(self) -> None:
        super().__init__()
        self.held = Supervised(ahead=1)
        self.now = 0.0
        self.at_launcher: set[AttemptId] = set()
        self.running: set[AttemptId] = set()
        self.leaving: set[AttemptId] = set()
        self.ended: list[AttemptId] = []

    def obey(self) -> None:
        out = self.held.take()
        assert not out.errors
        spawned = [item.attempt for item, until, _ in out.spawn if self.now <= until]
        assert len(spawned) == len(out.spawn)
        assert not self.at_launcher & set(spawned)
        assert not self.running & set(spawned)
        self.at_launcher |= set(spawned)
        self.ended += [result.attempt for result in out.ended]
        assert len(self.ended) == len(set(self.ended))

    @rule(job=jobs, lane=st.sampled_from(["x", None]))
    def give(self, job: str, lane: str | None) -> None:
        if name(job) not in self.ended:
            self.held.order(order(job, lane=lane, width=2), now=self.now)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.held.tick(self.now)
        self.obey()

    @rule(job=jobs)
    def run(self, job: str) -> None:
        if name(job) in self.at_launcher:
            self.at_launcher.remove(name(job))
            self.running.add(name(job))
            self.held.happen(started(job, self.now))

    @rule(job=jobs)
    def refuse(self, job: str) -> None:
        if name(job) in self.at_launcher:
            self.at_launcher.remove(name(job))
            self.held.happen(TooLate(name(job), at(self.now)))
            self.obey()

    @rule(job=jobs)
    def leave(self, job: str) -> None:
        if name(job) in self.running | self.at_launcher:
            self.running.discard(name(job))
            self.at_launcher.discard(name(job))
            self.leaving.add(name(job))
            self.held.happen(ended(job))

    @rule(job=jobs)
    def store(self, job: str) -> None:
        if name(job) in self.leaving:
            self.leaving.remove(name(job))
            self.held.happen(Stored(name(job)))
            self.obey()

    @rule(job=jobs, outcome=st.sampled_from(["canceled", "released", "lost"]))
    def stop(self, job: str, outcome: Any) -> None:
        self.held.happen(stop(job, outcome, self.now))
        self.obey()

    @rule(alive=st.sets(jobs), lost=st.sets(jobs))
    def confirm(self, alive: set[str], lost: set[str]) -> None:
        self.held.confirm(self.now, *sorted(alive), lost=tuple(sorted(lost)))
        self.obey()

    @rule()
    def kill_launcher(self) -> None:
        self.held.replace_launcher(self.now)
        self.at_launcher, self.running, self.leaving = set(), set(), set()
        self.obey()

    @rule(job=jobs)
    def forget(self, job: str) -> None:
        before = self.held.states()
        self.held.happen(ForgetAsked(name(job)))
        out = self.held.take()
        if before.get(job) == "ended":
            assert job not in self.held.states()
        else:
            assert self.held.states() == before
        assert bool(out.errors) == (before.get(job, "ended") != "ended")

    @invariant()
    def lanes_fill_the_launcher_no_further(self) -> None:
        lanes = [attempt.order.lane for attempt in self.held.state.live]
        assert lanes.count("x") <= 3  # one more than the width is at hand

    @invariant()
    def all_that_is_held_can_end(self) -> None:
        live = self.at_launcher | self.running
        assert {attempt.id for attempt in self.held.state.live} == live


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING])
def test_it_is_idle_once_all_has_ended(phase: Phase) -> None:
    held = Supervised()
    held.order(order("1"), now=0)
    assert not held.state.idle
    held.tick(0)
    if phase is Phase.RUNNING:
        held.happen(started("1", 0))
    assert held.attempt("1").phase is phase
    assert not held.state.idle
    held.happen(ended("1"))
    assert not held.state.idle
    held.happen(Stored(name("1")))
    assert held.state.idle


# --- signals of users ----------------------------------------------------------------------------


def usr1(sequence: int, number: int = 10, whom: str = "program") -> SignalAsked:
    return SignalAsked(name("1"), sequence, number, whom)


def sent(held: Supervised) -> list[tuple[int, str]]:
    return [(one.number, one.whom) for one in held.take().signal]


def test_a_signal_told_again_is_answered_again_and_sent_once() -> None:
    held = running(order("1"))
    held.happen(usr1(5), usr1(5), usr1(4), usr1(6, 15, "script"))
    held.tick(1)
    out = held.take()
    assert [(one.number, one.whom) for one in out.signal] == [(10, "program"), (15, "script")]
    assert [sequence for _, sequence in out.obeyed] == [5, 5, 5, 6]
    held.happen(usr1(6))
    held.tick(2)
    assert sent(held) == []


def test_a_signal_waits_for_the_start_and_for_the_end_of_a_pause() -> None:
    """SIGCONT would let a paused attempt run on while another machine runs it too."""
    held = Supervised()
    held.order(order("1"), now=0)
    held.happen(usr1(1))
    held.tick(0)
    assert sent(held) == []
    held.happen(started("1", 1))
    held.tick(1)
    assert sent(held) == [(10, "program")]
    held.happen(FenceTicked(at(100)), usr1(2, 18))
    held.tick(100)
    assert sent(held) == []
    held.confirm(101, "1")
    held.tick(101)
    assert sent(held) == [(18, "program")]
    held.happen(usr1(3), ended("1"))
    held.tick(102)
    assert sent(held) == []


def test_a_signal_that_came_before_the_start_does_not_wait_if_the_job_is_to_end() -> None:
    held = Supervised()
    held.order(order("1"), now=0)
    held.tick(0)
    held.happen(usr1(1), stop("1", "canceled", 1), started("1", 1))
    held.tick(1)
    assert [one.waits for one in held.take().signal] == [False]


@pytest.mark.parametrize(
    ("first_only", "whom", "again"),
    [(False, "program", []), (False, "script", [10]), (True, "script", []), (True, "all", [])],
)
def test_what_asks_after_its_user_sent_its_own_signal_gets_it_once(
    first_only: bool, whom: str, again: list[int]
) -> None:
    own = StopSignal(10, 60.0, first_only)
    held = running(order("1", signal=own, time_limit_s=30_000))
    held.happen(usr1(1, whom=whom))
    held.tick(1)
    held.take()
    held.happen(RequeueAsked(name("1"), 2.0, at(2)))
    held.tick(2)
    out = held.take()
    assert [one.number for one in out.notify] == again
    assert bool(out.terminate) is not bool(again)


def test_the_signal_ahead_of_the_limit_comes_though_its_user_sent_it_before() -> None:
    held = running(order("1", signal=StopSignal(10, 5.0, False), time_limit_s=30))
    held.happen(usr1(1))
    held.tick(1)
    held.take()
    held.tick(26)
    assert [one.number for one in held.take().notify] == [10]
