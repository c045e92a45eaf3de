"""What can happen to the attempts that a supervisor holds, as frozen values.

They come from the worker, the launcher, the beat, the attempts' processes and the clock; `state` is
given one at a time. Where each may come is in `transitions`. Times called `_at` are boot times in
seconds; `now` is the present.

The messages of worker and launcher become events here, one for each attempt.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.watch import Demand
from mlq_worker.ipc import values
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.launcher_messages import News
from mlq_worker.ipc.messages import (
    Confirm,
    Forget,
    Hello,
    Manners,
    Shutdown,
    Signal,
    Start,
    Stop,
    WorkerMessage,
)
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Order, Outcome, Result

# --- the worker says ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderReceived:
    """The worker orders an attempt; it may repeat itself.

    `claimed_at` is not later than the order was given. It counts as contact with Redis, which has
    just leased the attempt.
    """

    order: Order
    claimed_at: float

    @property
    def attempt(self) -> AttemptId:
        """The attempt it is about."""
        return self.order.attempt


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The attempt is to end early; the latest word counts. `shortage` as in `values.Result`."""

    attempt: AttemptId
    outcome: Outcome
    reason: str
    now: Moment
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class SignalAsked:
    """A user sends the attempt a signal: the same one, if the `sequence` is the same."""

    attempt: AttemptId
    sequence: int
    number: int
    whom: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """A lease renewal sent at `sent_at` found that the attempt is ours."""

    attempt: AttemptId
    sent_at: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A renewal found that the queue has given the attempt up."""

    attempt: AttemptId
    now: Moment


@dataclass(frozen=True, slots=True)
class ForgetAsked:
    """The end of the attempt is committed in the queue; `over`: its job has ended for good."""

    attempt: AttemptId
    over: bool = False


# --- the launcher says ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt runs."""

    started: values.Started

    @property
    def attempt(self) -> AttemptId:
        """The attempt it is about."""
        return self.started.attempt


@dataclass(frozen=True, slots=True)
class TooLate:
    """The launcher did not start the attempt: the time in which it was allowed to had passed."""

    attempt: AttemptId
    now: Moment


@dataclass(frozen=True, slots=True)
class RequeueAsked:
    """The attempt asks to be queued again, `asked_s` after its start."""

    attempt: AttemptId
    asked_s: float
    now: Moment


@dataclass(frozen=True, slots=True)
class Ended:
    """No process of the attempt is left; its result is being written."""

    result: Result

    @property
    def attempt(self) -> AttemptId:
        """The attempt it is about."""
        return self.result.attempt


@dataclass(frozen=True, slots=True)
class Stored:
    """The result is on NFS, or will not be soon (`is_written`).

    `last_line` is that of the attempt's log; "" if it is not told. `has_said`: whether it wrote to
    its log or its report.
    """

    attempt: AttemptId
    last_line: str = ""
    is_written: bool = True
    has_said: bool = False


@dataclass(frozen=True, slots=True)
class LauncherStarted:
    """There is a launcher."""


@dataclass(frozen=True, slots=True)
class LauncherDied:
    """The launcher died: started attempts die with it, and ending ones have ended."""


@dataclass(frozen=True, slots=True)
class LauncherCleared:
    """No process that the dead launcher had started is left."""

    now: Moment


# --- its processes do -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeaderEnded:
    """The processes that were told to end have ended; others of the attempt may be left."""

    target: Target
    now: Moment


@dataclass(frozen=True, slots=True)
class SignalUnheeded:
    """No process of the attempt has handled the signal that its user asked for."""

    target: Target


@dataclass(frozen=True, slots=True)
class SignalHeeded:
    """The attempt was sent that signal ahead of its time limit, and handles it."""

    target: Target


# --- the manners of a guest say ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demanded:
    """What the manners of a guest demand of the attempt now; told at each look."""

    attempt: AttemptId
    demand: Demand
    now: Moment


# --- the beat and the clock say -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beaten:
    """A beat was written, from `began_at` to `ended_at`."""

    began_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class FenceTicked:
    """The loop has waited: pause what must not run any more before anything else happens."""

    now: Moment


@dataclass(frozen=True, slots=True)
class Ticked:
    """The loop has read all messages: pause, resume, end or start what is due."""

    now: Moment


WorkerEvent = OrderReceived | StopAsked | SignalAsked | Renewed | GivenUp | ForgetAsked
LauncherNews = Started | TooLate | RequeueAsked | Ended | Stored
LauncherLoss = LauncherDied | LauncherCleared
InnerEvent = LeaderEnded | SignalUnheeded | SignalHeeded | Beaten | Demanded
TimeEvent = FenceTicked | Ticked

AttemptEvent = WorkerEvent | LauncherNews
"""Events that name the attempt that they are about."""

UntimedEvent = AttemptEvent | LauncherLoss | InnerEvent | LauncherStarted
Event = UntimedEvent | TimeEvent


def worker_events(message: WorkerMessage, turn_before_at: float, now: Moment) -> list[WorkerEvent]:
    """Return what the worker says of attempts.

    Args:
        message: from the worker.
        turn_before_at: the boot time of the turn before, when the message had not been sent yet.
        now: the present.
    """
    match message:
        case Start(orders, at):
            claimed_at = turn_before_at if at is None else min(turn_before_at, at)
            return [OrderReceived(order, claimed_at) for order in orders]
        case Stop(attempt, outcome, reason, shortage):
            return [StopAsked(attempt, outcome, reason, now, shortage)]
        case Signal(attempt, sequence, number, whom):
            return [SignalAsked(attempt, sequence, number, whom)]
        case Confirm(at, alive, lost):
            renewed = [Renewed(attempt, at) for attempt in alive]
            return [*renewed, *(GivenUp(attempt, now) for attempt in lost)]
        case Forget(attempts, over):
            return [ForgetAsked(attempt, attempt in over) for attempt in attempts]
        case Hello() | Shutdown() | Manners():
            return []


def launcher_events(news: News, now: Moment) -> list[LauncherNews]:
    """Return what the launcher says of attempts, in the order in which it happens to each."""
    return [
        *(Started(one) for one in news.started),
        *(TooLate(attempt, now) for attempt in news.late),
        *(RequeueAsked(one.attempt, one.asked_s, now) for one in news.asked),
        *(Ended(result) for result in news.gone),
        *(
            Stored(one.attempt, one.last_line, one.is_written, one.has_said)
            for one in news.recorded
        ),
    ]
