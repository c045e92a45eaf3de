"""Which event may reach an attempt in which phase, and the phase it may be in afterwards.

```text
            OrderReceived         Ticked             Started
   UNHELD ───────────────▶ WAITING ─────▶ STARTING ─────────▶ RUNNING
      ▲                     │    ▲  TooLate │ │                 │
      │                     │    └──────────┘ │ Ended           │ Ended
      │ ForgetAsked         │                 ▼                 │
      │                     │ StopAsked   RECORDING ◀───────────┘
      │                     │ GivenUp         │
      │                     ▼        Stored   │
      └─────────────────── ENDED ◀────────────┘
                            ▲
                            │ LauncherCleared      LauncherDied
                         ORPHANED ◀───────────────────────────── STARTING, RUNNING
```

`LauncherDied` also takes RECORDING to ENDED, and `TooLate` an attempt that was to be stopped. All
other events leave the phase as it is. Invariant: `state` sets a phase only as this table allows;
an event for which it has no entry is impossible, changes nothing and is told to the log.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlq_worker.supervisor.attempt import LIVE, Phase
from mlq_worker.supervisor.events import (
    Beaten,
    Demanded,
    Ended,
    Event,
    FenceTicked,
    ForgetAsked,
    GivenUp,
    LauncherCleared,
    LauncherDied,
    LeaderEnded,
    OrderReceived,
    Renewed,
    RequeueAsked,
    SignalAsked,
    SignalHeeded,
    SignalUnheeded,
    Started,
    StopAsked,
    Stored,
    Ticked,
    TooLate,
)

_Next = Mapping[Phase, frozenset[Phase]]


def _row(*unchanged: Phase, **changed: tuple[Phase, ...]) -> _Next:
    """Return what may follow, by phase; `unchanged` are phases in which the event changes none."""
    row = {phase: frozenset({phase}) for phase in unchanged}
    return row | {Phase[name]: frozenset(phases) for name, phases in changed.items()}


_HELD = tuple(phase for phase in Phase if phase is not Phase.UNHELD)
_LIVE = tuple(phase for phase in Phase if phase in LIVE)
_STOP = _row(*(phase for phase in Phase if phase is not Phase.WAITING), WAITING=(Phase.ENDED,))

TABLE: Mapping[type[Event], _Next] = {
    # The worker may repeat an order, and may speak of an attempt that has ended meanwhile.
    OrderReceived: _row(*_HELD, UNHELD=(Phase.WAITING,)),
    StopAsked: _STOP,
    GivenUp: _STOP,
    SignalAsked: _row(*Phase),
    Renewed: _row(*Phase),
    ForgetAsked: _row(Phase.UNHELD, ENDED=(Phase.UNHELD,)),
    # The launcher speaks only of what it was given, each thing once, in this order.
    Started: _row(STARTING=(Phase.RUNNING,)),
    TooLate: _row(STARTING=(Phase.WAITING, Phase.ENDED)),
    RequeueAsked: _row(Phase.RUNNING),
    Ended: _row(STARTING=(Phase.RECORDING,), RUNNING=(Phase.RECORDING,)),
    # It also writes results that the supervisor made; the worker may have these forgotten before.
    Stored: _row(Phase.UNHELD, Phase.ENDED, RECORDING=(Phase.ENDED,)),
    LauncherDied: _row(
        Phase.WAITING,
        Phase.ENDED,
        STARTING=(Phase.ORPHANED,),
        RUNNING=(Phase.ORPHANED,),
        RECORDING=(Phase.ENDED,),
    ),
    LauncherCleared: _row(Phase.WAITING, Phase.ENDED, ORPHANED=(Phase.ENDED,)),
    LeaderEnded: _row(Phase.RUNNING, Phase.ORPHANED),
    SignalUnheeded: _row(Phase.RUNNING, Phase.ORPHANED),
    SignalHeeded: _row(Phase.RUNNING, Phase.ORPHANED),
    Beaten: _row(*_HELD),
    # It was decided on a look at the attempts a moment ago.
    Demanded: _row(*Phase),
    FenceTicked: _row(*_LIVE),
    Ticked: _row(*_LIVE, WAITING=(Phase.WAITING, Phase.STARTING)),
}
"""What may follow each event. `LauncherStarted` reaches no attempt."""


def after(event: Event, phase: Phase) -> frozenset[Phase]:
    """Return the phases that may follow; none if the event is impossible in this phase."""
    return TABLE[type(event)].get(phase, frozenset())
