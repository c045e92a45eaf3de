"""The life of a job: one table of states and events.

A job is always in exactly one of rq's own states, and only the events below move it. This is the
one place that knows which state follows which: the loader of the Lua operations makes their tables
from it, the worker and the command ask `after()`, and the diagram in docs/architecture.md is drawn
from `TRANSITIONS` (a test keeps it so).

    submitted ──▶ DEFERRED ──parents ended──▶ QUEUED ──claim──▶ STARTED ──▶ FINISHED
                      │                        ▲  ▲                │  │
                      └─a parent failed─▶ x    │  ├──lose, release─┤  └────▶ FAILED
                                               │  └due─ SCHEDULED ◀┘retry      │
                                               └───────── rerun ───────────────┘

Three things the table makes true:

* Only STARTED holds a lease, and only `CLAIM` leads there, so an attempt exists exactly while its
  job is STARTED.
* A failed job with retries left waits a while first: `RETRY` leads to SCHEDULED.
* An attempt that has nothing to do for a while may give its cores back: `move.lua` turns a
  `RELEASE` into a `RETURN_LATER` if it asked for a pause.
* Losing a machine is no fault of the job: `LOSE` leads back to QUEUED, and only `GIVE_UP` (more
  than `max_losses` of them) leads to FAILED.
* A user who cancels a running job does not move it: the worker does, by `CANCEL`, once the last
  process is gone. Until then the job holds its lease, so no second attempt can begin beside it.
  If its attempt ends otherwise before that, `move.lua` cancels it where it would queue it again.
* A held job is DEFERRED too, with the reason in `mlq_held`, until its user lets it go. Workers hold
  a job whose command fails wherever it is tried; a user may hold any waiting job. If a released job
  comes after others, it then waits for those of them that have not ended. `move.lua` turns a move
  back to the queue into a `HOLD`, since only the server knows that the command was held meanwhile.
* A job that its user runs again waits for those of its parents that are run again too: `move.lua`
  turns a `RERUN` into a `RERUN_LATER`, since only the server knows their states at that moment.
"""

from __future__ import annotations

from enum import StrEnum

from mlq.errors import InvalidInputError


class State(StrEnum):
    """Where a job is; the words are rq's, so that rq's tools show the same."""

    DEFERRED = "deferred"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"


class Event(StrEnum):
    """What can happen to a job."""

    PARENTS_ENDED = "parents ended"
    PARENT_FAILED = "parent failed"
    DUE = "due"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    TIME_OUT = "time out"
    RETRY = "retry"
    LOSE = "lose"
    GIVE_UP = "give up"
    RELEASE = "release"
    CANCEL = "cancel"
    HOLD = "hold"
    LET_GO = "let go"
    POSTPONE = "let go early"
    RETURN_LATER = "return later"
    RERUN = "rerun"
    RERUN_LATER = "rerun after parents"


ENDED = frozenset({State.FINISHED, State.FAILED, State.CANCELED})
WAITING = frozenset({State.DEFERRED, State.SCHEDULED, State.QUEUED})
HELD = "held"
"""The word for a job that is deferred until its user lets it go."""
BY_HAND = "held by its user"
"""Why a job is held whose user gave no other reason."""
FAILING = "held: "
"""A worker's reason for holding a job begins with this; a user's reason does not."""

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.DEFERRED, Event.PARENTS_ENDED): State.QUEUED,
    (State.DEFERRED, Event.PARENT_FAILED): State.CANCELED,
    (State.DEFERRED, Event.CANCEL): State.CANCELED,
    (State.DEFERRED, Event.LET_GO): State.QUEUED,
    (State.DEFERRED, Event.HOLD): State.DEFERRED,
    (State.DEFERRED, Event.POSTPONE): State.SCHEDULED,
    (State.DEFERRED, Event.RERUN_LATER): State.DEFERRED,
    (State.SCHEDULED, Event.HOLD): State.DEFERRED,
    (State.SCHEDULED, Event.DUE): State.QUEUED,
    (State.SCHEDULED, Event.CANCEL): State.CANCELED,
    (State.SCHEDULED, Event.PARENT_FAILED): State.CANCELED,
    (State.SCHEDULED, Event.RERUN_LATER): State.DEFERRED,
    (State.QUEUED, Event.CLAIM): State.STARTED,
    (State.QUEUED, Event.CANCEL): State.CANCELED,
    (State.QUEUED, Event.HOLD): State.DEFERRED,
    (State.STARTED, Event.SUCCEED): State.FINISHED,
    (State.STARTED, Event.FAIL): State.FAILED,
    (State.STARTED, Event.TIME_OUT): State.FAILED,
    (State.STARTED, Event.RETRY): State.SCHEDULED,
    (State.STARTED, Event.LOSE): State.QUEUED,
    (State.STARTED, Event.GIVE_UP): State.FAILED,
    (State.STARTED, Event.RELEASE): State.QUEUED,
    (State.STARTED, Event.RETURN_LATER): State.SCHEDULED,
    (State.STARTED, Event.HOLD): State.DEFERRED,
    (State.STARTED, Event.CANCEL): State.CANCELED,
    (State.FINISHED, Event.RERUN): State.QUEUED,
    (State.FAILED, Event.RERUN): State.QUEUED,
    (State.CANCELED, Event.RERUN): State.QUEUED,
    (State.FINISHED, Event.RERUN_LATER): State.DEFERRED,
    (State.FAILED, Event.RERUN_LATER): State.DEFERRED,
    (State.CANCELED, Event.RERUN_LATER): State.DEFERRED,
}


def after(state: State, event: Event) -> State:
    """Return the state that follows.

    Raises:
        InvalidInputError: this event cannot happen to a job in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidInputError(f"cannot {event} a job that is {state}") from None


def sources(event: Event) -> tuple[State, ...]:
    """Return every state in which the event can happen."""
    return tuple(state for state, known in TRANSITIONS if known is event)


def target(event: Event) -> State:
    """Return the one state the event leads to, wherever it happens."""
    (state,) = {to for (_, known), to in TRANSITIONS.items() if known is event}
    return state
