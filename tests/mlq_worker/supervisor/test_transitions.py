"""The supervisor's table, walked: each event in each phase, of an attempt that came there."""

from __future__ import annotations

from typing import get_args

import pytest
from attempt_events import Supervised, at, ended, name, order, started, stop

from mlq_worker.guest.watch import Demand, Pause
from mlq_worker.ipc.procfs import Target
from mlq_worker.supervisor.attempt import HeldAttempt, Phase
from mlq_worker.supervisor.events import (
    Beaten,
    Demanded,
    Event,
    FenceTicked,
    ForgetAsked,
    GivenUp,
    LauncherCleared,
    LauncherDied,
    LauncherStarted,
    LeaderEnded,
    OrderReceived,
    Renewed,
    RequeueAsked,
    SignalAsked,
    SignalHeeded,
    SignalUnheeded,
    Stored,
    Ticked,
    TooLate,
)
from mlq_worker.supervisor.transitions import TABLE, after

WAY: dict[Phase, Event | None] = {
    Phase.UNHELD: None,
    Phase.WAITING: OrderReceived(order("1"), 0),
    Phase.STARTING: Ticked(at(0)),
    Phase.RUNNING: started("1", 0),
    Phase.RECORDING: ended("1"),
    Phase.ENDED: Stored(name("1")),
}
EVENTS: list[Event] = [
    OrderReceived(order("1"), 1),
    stop("1", "canceled", 1),
    Renewed(name("1"), 1),
    GivenUp(name("1"), at(1)),
    SignalAsked(name("1"), 1, 10, "program"),
    ForgetAsked(name("1")),
    started("1", 1),
    TooLate(name("1"), at(1)),
    RequeueAsked(name("1"), 1.0, at(1)),
    ended("1"),
    Stored(name("1")),
    LauncherDied(),
    LauncherCleared(at(1)),
    LeaderEnded(Target(7, 70), at(1)),
    SignalUnheeded(Target(7, 70)),
    SignalHeeded(Target(7, 70)),
    Demanded(name("1"), Demand((Pause("desk", "somebody"),), cores=1), at(5)),
    Beaten(1, 2),
    FenceTicked(at(1)),
    Ticked(at(1)),
]
OF_PROCESSES = LeaderEnded | SignalUnheeded | SignalHeeded | FenceTicked | Ticked
"""These reach only attempts that have processes, so no log tells of them."""
CHOICES = {
    (TooLate, Phase.STARTING): {Phase.WAITING: None, Phase.ENDED: stop("1", "canceled", 0)},
    (Ticked, Phase.WAITING): {Phase.STARTING: None, Phase.WAITING: LauncherDied()},
}
"""Where more than one phase may follow: what has to happen before for each."""


def in_phase(phase: Phase) -> Supervised:
    held = Supervised()
    way = list(WAY)
    last = Phase.RUNNING if phase is Phase.ORPHANED else phase
    held.happen(*(one for step in way[: way.index(last) + 1] if (one := WAY[step]) is not None))
    if phase is Phase.ORPHANED:
        held.happen(LauncherDied())
    assert phase_of(held) is phase
    held.take()
    return held


def phase_of(held: Supervised) -> Phase:
    found = [one.phase for one in held.state.held]
    return found[0] if found else Phase.UNHELD


def remembered(held: Supervised) -> list[tuple[object, ...]]:
    return [tuple(getattr(one, slot) for slot in HeldAttempt.__slots__) for one in held.state.held]


def test_the_table_has_a_row_for_each_event_and_each_is_walked() -> None:
    kinds = {kind for kind in get_args(Event) if kind is not LauncherStarted}
    assert set(TABLE) == kinds == {type(event) for event in EVENTS}


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_each_event_in_each_phase(event: Event, phase: Phase) -> None:
    held, may_follow = in_phase(phase), after(event, phase)
    before = remembered(held)
    held.happen(event)
    out = held.take()
    if may_follow:
        assert out.errors == []
        assert phase_of(held) in may_follow
        return
    assert phase_of(held) is phase
    assert remembered(held) == before
    is_about_it = phase is not Phase.UNHELD or hasattr(event, "attempt")
    is_told = is_about_it and not isinstance(event, OF_PROCESSES)
    assert bool(out.errors) == is_told, out.errors


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_each_phase_that_may_follow_does(event: Event, phase: Phase) -> None:
    choices = CHOICES.get((type(event), phase), dict.fromkeys(after(event, phase)))
    assert choices.keys() == after(event, phase)
    for follows, first in choices.items():
        held = in_phase(phase)
        if first is not None:
            held.happen(first)
        held.happen(event)
        assert phase_of(held) is follows


def test_every_phase_leads_to_the_end_and_out() -> None:
    def leads(phase: Phase) -> set[Phase]:
        return {one for row in TABLE.values() for one in row.get(phase, ())}

    for phase in set(Phase) - {Phase.UNHELD}:
        seen, unseen = set(), [phase]
        while unseen:
            one = unseen.pop()
            if one not in seen:
                seen.add(one)
                unseen += leads(one)
        assert Phase.UNHELD in seen, phase
