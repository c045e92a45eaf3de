"""The supervisor's decisions, without a clock, a process or a socket."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.messages import Key, Order, Result, Started, unstarted_result
from mlq_worker.liveness.fence import LivenessTimings
from mlq_worker.supervisor.launcher_process import LaunchPause
from mlq_worker.supervisor.state import Attempts

SPANS = LivenessTimings(10, 45, 60, 90)


def order(job_id: str, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "id": job_id,
        "attempt": 1,
        "mark": f"mark-{job_id}",
        "argv": ["true"],
        "env": {},
        "cwd": "/",
        "job_dir": "",
        "job_json": "",
        "time_limit_s": None,
        "stop_grace_s": 10,
        "lane": None,
        "width": 1,
    }
    return Order(**{**fields, **changes})


def at(now: float) -> Moment:
    return Moment(now, f"utc {now}")


def started(job_id: str, now: float) -> Started:
    return Started(id=job_id, attempt=1, pid=7, pid_start=70, started_at="utc", at=now)


def ended(job_id: str, outcome: Any = "exited") -> Result:
    return unstarted_result((job_id, 1), ("m1", "boot"), outcome, "over", "utc")


def running(*orders: Order, now: float = 0) -> Attempts:
    """A state in which these orders run."""
    state = Attempts(SPANS, "m1", "boot", ahead=0)
    state.launcher_up = True
    state.order(orders, now)
    state.tick(at(now))
    state.started(started(item["id"], now) for item, _ in state.take().spawn)
    state.take()
    return state


def states(state: Attempts) -> dict[str, str]:
    return {attempt.key[0]: attempt.held()["state"] for attempt in state.held}


def test_an_order_may_be_started_only_as_long_as_its_contact_lasts() -> None:
    state = Attempts(SPANS, "m1", "boot")
    state.launcher_up = True
    state.order([order("1")], 100)
    state.tick(at(101))
    assert [(item["id"], until) for item, until in state.take().spawn] == [("1", 140)]


def test_what_the_launcher_started_too_late_waits_at_the_head_of_its_lane() -> None:
    state = Attempts(SPANS, "m1", "boot", ahead=0)
    state.launcher_up = True
    state.order([order("1", lane="x"), order("2", lane="x")], 0)
    state.tick(at(0))
    state.late([("1", 1)], at(50))
    state.tick(at(50))
    assert state.take().spawn[1:] == []
    state.confirm(51, [("2", 1), ("1", 1)], [], at(52))
    state.tick(at(52))
    assert [item["id"] for item, _ in state.take().spawn] == ["1"]


def test_the_launcher_has_some_of_a_lane_at_hand_and_its_latest_width() -> None:
    state = Attempts(SPANS, "m1", "boot", ahead=2)
    state.launcher_up = True
    state.order([order(str(n), lane="x", width=1 + (n > 3)) for n in range(1, 7)], 0)
    state.tick(at(0))
    spawned = [item for item, _ in state.take().spawn]
    assert [item["id"] for item in spawned] == ["1", "2", "3", "4"]
    assert {item["width"] for item in spawned} == {2}
    state.started([started("1", 1)])
    state.gone([ended("1")])
    state.tick(at(1))
    assert [item["id"] for item, _ in state.take().spawn] == ["5"]


def test_a_grace_that_ends_kills_in_rounds_until_the_end() -> None:
    state = running(order("1"))
    state.stop(("1", 1), "canceled", "canceled", at(5))
    out = state.take()
    assert [target.pid for target in out.terminate] == [7]
    assert out.doom[0]["kill_at"] == 16
    state.tick(at(14.9))
    assert not state.take().terminate_all
    state.tick(at(15.9))
    out = state.take()
    assert [target.pid for target in out.terminate_all] == [7]
    assert not out.kill
    rounds = []
    for tenth in range(160, 190):
        state.tick(at(tenth / 10))
        rounds += state.take().kill
    assert len(rounds) >= 4
    state.gone([ended("1", "canceled")])
    state.tick(at(30))
    assert not state.take().kill


def test_a_stop_during_a_pause_wakes_nobody() -> None:
    state = running(order("1"))
    state.tick(at(41))
    assert len(state.take().pause) == 1
    state.stop(("1", 1), "canceled", "canceled", at(42))
    state.tick(at(100))
    out = state.take()
    assert not out.terminate
    assert not out.kill
    state.confirm(101, [("1", 1)], [], at(101))
    state.tick(at(101))
    out = state.take()
    assert len(out.resume) == len(out.terminate) == 1
    assert state.due_at() == 111  # the grace begins when it can use it


def test_lost_during_a_pause_kills_at_once() -> None:
    state = running(order("1"))
    state.tick(at(41))
    state.take()
    state.confirm(42, [], [("1", 1)], at(42))
    state.tick(at(42))
    assert len(state.take().kill) == 1


def test_a_pause_is_not_the_jobs_time() -> None:
    state = running(order("1", time_limit_s=60))
    state.tick(at(45))
    state.tick(at(500))
    state.confirm(500, [("1", 1)], [], at(500))
    state.tick(at(500))
    state.take()
    state.tick(at(514))
    assert not state.take().doom
    state.tick(at(515))
    assert state.take().doom[0]["reason"] == "timeout after 1m"


def test_what_started_during_a_pause_is_paused() -> None:
    state = Attempts(SPANS, "m1", "boot")
    state.launcher_up = True
    state.order([order("1")], 0)
    state.tick(at(39))
    state.started([started("1", 39.9)])
    state.fence(at(41))
    assert [target.pid for target in state.take().pause] == [7]


def test_the_machines_beat_protects_what_is_ordered_after_it() -> None:
    state = Attempts(SPANS, "m1", "boot")
    state.launcher_up = True
    state.beaten(95, 96)
    state.order([order("1")], 100)
    state.tick(at(100))
    state.started([started("1", 100)])
    state.tick(at(155))
    assert not state.take().pause
    state.tick(at(155.1))
    assert state.take().pause


def test_no_beat_speaks_for_an_order_that_was_claimed_long_before_it() -> None:
    # The worker was frozen for minutes with the claim in its hand: the reaper has seen beat after
    # beat without the attempt, and the job may run elsewhere. Only Redis can tell.
    state = Attempts(SPANS, "m1", "boot")
    state.launcher_up = True
    state.beaten(380, 380.1)
    state.order([order("1")], 0)
    state.tick(at(385))
    assert state.take().spawn == []
    state.beaten(390, 390.1)
    state.tick(at(391))
    assert state.take().spawn == []
    state.confirm(391, [("1", 1)], [], at(392))
    state.tick(at(392))
    assert [item["id"] for item, _ in state.take().spawn] == ["1"]


def test_a_later_word_of_the_worker_replaces_an_earlier_one() -> None:
    state = running(order("1"))
    state.stop(("1", 1), "released", "make room", at(1))
    state.stop(("1", 1), "canceled", "canceled", at(2))
    out = state.take()
    assert [doom["outcome"] for doom in out.doom] == ["released", "canceled"]
    assert len(out.terminate) == 1
    assert states(state) == {"1": "stopping"}


def test_the_dead_launchers_jobs_are_lost_and_the_waiting_ones_wait() -> None:
    state = running(order("1", lane="x"), order("2", lane="x"), order("3"))
    state.gone([ended("3")])
    state.launcher_died()
    assert [result["id"] for result in state.take().ended] == ["3"]
    state.tick(at(1))
    assert not state.take().spawn
    state.cleared(at(2))
    out = state.take()
    assert [(result["id"], result["outcome"]) for result in out.ended] == [("1", "lost")]
    state.launcher_up = True
    state.tick(at(3))
    assert [item["id"] for item, _ in state.take().spawn] == ["2"]


class Life(RuleBasedStateMachine):
    """Any order of events: lanes fill the launcher no further than told, each attempt ends once.

    And each can be forgotten.
    """

    jobs = st.sampled_from("12345")

    def __init__(self) -> None:
        super().__init__()
        self.state = Attempts(SPANS, "m1", "boot", ahead=1)
        self.state.launcher_up = True
        self.now = 0.0
        self.at_launcher: set[Key] = set()
        self.running: set[Key] = set()
        self.leaving: set[Key] = set()
        self.ended: list[Key] = []
        self.paused = 0

    def obey(self) -> None:
        out = self.state.take()
        spawned = [(item["id"], item["attempt"]) for item, until in out.spawn if self.now <= until]
        assert len(spawned) == len(out.spawn)
        assert not self.at_launcher & set(spawned)
        assert not self.running & set(spawned)
        self.at_launcher |= set(spawned)
        self.ended += [(result["id"], result["attempt"]) for result in out.ended]
        assert len(self.ended) == len(set(self.ended))

    @rule(job=jobs, lane=st.sampled_from(["x", None]))
    def give(self, job: str, lane: str | None) -> None:
        if (job, 1) not in self.ended:
            self.state.order([order(job, lane=lane, width=2)], self.now)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.state.tick(at(self.now))
        self.obey()

    @rule(job=jobs)
    def run(self, job: str) -> None:
        if (job, 1) in self.at_launcher:
            self.at_launcher.remove((job, 1))
            self.running.add((job, 1))
            self.state.started([started(job, self.now)])

    @rule(job=jobs)
    def refuse(self, job: str) -> None:
        if (job, 1) in self.at_launcher:
            self.at_launcher.remove((job, 1))
            self.state.late([(job, 1)], at(self.now))
            self.obey()

    @rule(job=jobs)
    def leave(self, job: str) -> None:
        if (job, 1) in self.running | self.at_launcher:
            self.running.discard((job, 1))
            self.at_launcher.discard((job, 1))
            self.leaving.add((job, 1))
            self.state.gone([ended(job)])

    @rule(job=jobs)
    def store(self, job: str) -> None:
        if (job, 1) in self.leaving:
            self.leaving.remove((job, 1))
            self.state.stored([(job, 1)])
            self.obey()

    @rule(job=jobs, outcome=st.sampled_from(["canceled", "released", "lost"]))
    def stop(self, job: str, outcome: Any) -> None:
        self.state.stop((job, 1), outcome, outcome, at(self.now))
        self.obey()

    @rule(alive=st.sets(jobs), lost=st.sets(jobs))
    def confirm(self, alive: set[str], lost: set[str]) -> None:
        keys = [(job, 1) for job in alive], [(job, 1) for job in lost]
        self.state.confirm(self.now, *keys, at(self.now))
        self.obey()

    @rule()
    def kill_launcher(self) -> None:
        self.state.launcher_died()
        self.at_launcher, self.running, self.leaving = set(), set(), set()
        self.state.cleared(at(self.now))
        self.state.launcher_up = True
        self.obey()

    @rule(job=jobs)
    def forget(self, job: str) -> None:
        before = states(self.state)
        self.state.forget([(job, 1)])
        if before.get(job) == "ended":
            assert job not in states(self.state)
        else:
            assert states(self.state) == before
        self.state.take()

    @invariant()
    def lanes_fill_the_launcher_no_further(self) -> None:
        lanes = [attempt.order["lane"] for attempt in self.state.live]
        assert lanes.count("x") <= 3  # one more than the width is at hand

    @invariant()
    def all_that_is_held_can_end(self) -> None:
        live = self.at_launcher | self.running
        assert {attempt.key for attempt in self.state.live} == live


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase


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
