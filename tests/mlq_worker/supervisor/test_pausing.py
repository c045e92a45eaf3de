"""Several reasons to pause, squeezed time, and handing back, without a clock or a process."""

from __future__ import annotations

from typing import Any

from attempt_events import Supervised, at, ended, name, order, running, stop

from mlq_worker.guest.watch import Demand, End, Pause
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.supervisor.events import Demanded

DESK = Pause("desk", "somebody is at the desk of m1")
OFF = Pause("off", "off by ab12")


def demand(now: float, *pauses: Pause, **more: Any) -> Demanded:
    return Demanded(name("1"), Demand(pauses, **more), at(now))


def alive(held: Supervised, now: float) -> None:
    """The queue renews its lease, so the fence holds nothing back."""
    held.confirm(now, "1")


def test_it_runs_when_no_reason_is_left() -> None:
    held = running(order("1"))
    held.happen(demand(1, DESK))
    assert [one.pid for one in held.take().pause] == [7]
    held.happen(demand(2, DESK, OFF), demand(3, OFF))
    out = held.take()
    assert (out.pause, out.resume) == ([], [])
    assert held.attempt("1").paused_by == {"off": OFF.words}
    held.happen(demand(4))
    assert [one.pid for one in held.take().resume] == [7]
    assert held.states() == {"1": "running"}


def test_the_fence_and_the_desk_pause_independently() -> None:
    held = running(order("1"))
    held.happen(demand(1, DESK))
    held.tick(100)  # no contact meanwhile
    assert held.attempt("1").is_fenced
    held.happen(demand(101))
    held.take()
    held.tick(102)
    assert not held.take().resume
    alive(held, 103)
    held.tick(104)
    assert [one.pid for one in held.take().resume] == [7]


def test_paused_and_squeezed_time_does_not_count_against_the_limit() -> None:
    held = running(order("1", time_limit_s=30))
    held.happen(demand(10, DESK), demand(12, DESK, cores=1), demand(20, cores=1))
    alive(held, 39)
    held.tick(40)
    assert not held.take().announce
    held.happen(demand(41))  # it has had 10 of its 30 s
    held.tick(60)
    assert not held.take().announce
    alive(held, 60)
    held.tick(61.5)
    assert [one.outcome for one in held.take().announce] == ["timeout"]


def test_handing_back_lets_it_go_on_and_gives_it_the_grace() -> None:
    held = running(order("1", stop_grace_s=7200))
    held.happen(demand(1, DESK))
    held.take()
    held.happen(demand(2, DESK, end=End("released", "handed back: somebody is at the desk of m1")))
    out = held.take()
    assert [one.pid for one in out.resume] == [7]
    assert [one.pid for one in out.terminate] == [7]
    assert [(one.outcome, one.kill_at) for one in out.announce] == [("released", 603)]
    held.happen(demand(3, DESK))  # it is saving its state
    assert not held.take().pause


def test_without_grace_it_is_killed_at_once() -> None:
    held = running(order("1"))
    end = End("overstepped", "took 9G of 8G", most_grace_s=0, shortage=Shortage(of_gpu=False))
    held.happen(demand(2, end=end))
    held.tick(2)
    out = held.take()
    assert [one.pid for one in out.kill] == [7]
    assert (out.terminate, out.notify) == ([], [])
    assert [one.shortage for one in out.announce] == [Shortage(of_gpu=False)]


def test_a_cancel_lets_a_paused_job_end() -> None:
    held = running(order("1"))
    held.happen(demand(1, DESK))
    held.take()
    held.happen(stop("1", "canceled", 2))
    out = held.take()
    assert [one.pid for one in out.resume] == [one.pid for one in out.terminate] == [7]


def test_what_is_fenced_is_handed_back_once_it_is_in_touch() -> None:
    held = running(order("1"))
    held.tick(100)
    held.happen(demand(101, end=End("released", "handed back")))
    out = held.take()
    assert (out.resume, out.terminate, out.kill) == ([], [], [])
    alive(held, 102)
    held.tick(103)
    out = held.take()
    assert [one.pid for one in out.resume] == [one.pid for one in out.terminate] == [7]


def test_an_end_leaves_no_reason_behind() -> None:
    held = running(order("1"))
    held.happen(demand(1, DESK, cores=2), ended("1"))
    attempt = held.attempt("1")
    assert (attempt.paused_by, attempt.paused_at, attempt.cores_now) == ({}, None, None)
    held.take()
    held.happen(demand(2, DESK))
    assert not held.take().pause


def test_an_end_with_grace_becomes_one_without_if_others_cannot_wait() -> None:
    held = running(order("1", stop_grace_s=300))
    held.happen(demand(1, end=End("released", "handed back: m1 runs out of memory")))
    held.tick(2)
    assert not held.take().kill
    held.happen(demand(3, end=End("released", "handed back: others", most_grace_s=600)))
    held.tick(4)
    assert not held.take().kill
    held.happen(demand(5, end=End("released", "handed back: others", most_grace_s=0)))
    held.tick(5)
    assert [one.pid for one in held.take().kill] == [7]
    assert held.attempt("1").ending == ("released", "handed back: m1 runs out of memory")
