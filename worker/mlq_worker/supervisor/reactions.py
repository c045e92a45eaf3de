"""What follows from each event for one attempt: its phase, and what is to be done.

Pure, for `state`, which checks `transitions` first. This module and `termination` change an
attempt's own fields; they return its phase, and `state` sets it.
"""

from __future__ import annotations

from dataclasses import replace

from mlq.jobs.signals import Whom
from mlq_worker.guest.watch import Demand, Pause
from mlq_worker.ipc.clock import Moment
from mlq_worker.ipc.values import REQUEUED, Outcome, Result, unstarted_result
from mlq_worker.liveness import fence
from mlq_worker.supervisor import pausing, termination
from mlq_worker.supervisor.attempt import LIVE, HeldAttempt, Instructions, Phase
from mlq_worker.supervisor.events import (
    Beaten,
    Demanded,
    Ended,
    Event,
    ForgetAsked,
    GivenUp,
    InnerEvent,
    LauncherCleared,
    LauncherDied,
    LauncherLoss,
    LauncherNews,
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
    TooLate,
    WorkerEvent,
)
from mlq_worker.supervisor.requests import Request

_NO_CONTACT = "no contact with the queue or with NFS"
_GIVEN_UP: tuple[Outcome, str] = ("lost", "lost: the queue gave the attempt up")
_REQUEUED: tuple[Outcome, str] = ("released", REQUEUED)
_LAUNCHER_DIED: tuple[Outcome, str] = ("lost", "lost: the launcher died")


class Reactions:
    """How attempts answer to events.

    Args:
        timings: the settings of liveness.
        place: machine and boot id, for results made here.
    """

    def __init__(self, timings: fence.LivenessTimings, place: tuple[str, str]) -> None:
        self._timings, self._place = timings, place

    def react(self, attempt: HeldAttempt, event: Event, out: Instructions) -> Phase:
        """Return the phase into which an event brings an attempt; the event must be possible."""
        if isinstance(event, WorkerEvent):
            return self._obey_worker(attempt, event, out)
        if isinstance(event, LauncherNews):
            return self._hear_launcher(attempt, event, out)
        if isinstance(event, LauncherLoss):
            return self._lose_launcher(attempt, event, out)
        if isinstance(event, InnerEvent):
            self._go_on(attempt, event, out)
        return attempt.phase

    def _obey_worker(self, attempt: HeldAttempt, event: WorkerEvent, out: Instructions) -> Phase:
        match event:
            case OrderReceived() if attempt.phase is Phase.UNHELD:
                return Phase.WAITING
            case StopAsked(_, outcome, reason, now, shortage):
                attempt.shortage = shortage
                return self._end(attempt, (outcome, reason), now, out)
            case SignalAsked():
                self._keep_signal(attempt, event, out)
            case GivenUp(_, now):
                return self._end(attempt, _GIVEN_UP, now, out)
            case Renewed(_, sent_at):
                attempt.contact = fence.confirmed(attempt.contact, sent_at)
            case ForgetAsked(attempt_id, over):
                out.forget.append(attempt_id)
                if over and attempt.order.code is not None:
                    out.tidy.append(attempt_id)
                return Phase.UNHELD
        return attempt.phase

    def _hear_launcher(self, attempt: HeldAttempt, event: LauncherNews, out: Instructions) -> Phase:
        match event:
            case Started():
                return self._begin(attempt, event, out)
            case TooLate(_, now) if attempt.ending is not None:
                return self._end_unstarted(attempt, attempt.ending, now, out)
            case TooLate():
                return Phase.WAITING
            case RequeueAsked():
                return self._requeue(attempt, event, out)
            case Ended(result):
                attempt.result = result
                pausing.let_go(attempt)
                return Phase.RECORDING
            case Stored():
                return self._stored(attempt, event, out)

    def _lose_launcher(self, attempt: HeldAttempt, event: LauncherLoss, out: Instructions) -> Phase:
        match event:
            case LauncherDied() if attempt.phase in LIVE:
                attempt.kill_at = None
                return Phase.ORPHANED
            case LauncherDied() if attempt.phase is Phase.RECORDING and attempt.result is not None:
                return self._report(attempt, attempt.result, out)
            case LauncherCleared(now) if attempt.phase is Phase.ORPHANED:
                return self._end_unstarted(attempt, _LAUNCHER_DIED, now, out)
        return attempt.phase

    def _go_on(self, attempt: HeldAttempt, event: InnerEvent, out: Instructions) -> None:
        match event:
            case LeaderEnded(_, now):
                termination.leader_ended(attempt, now.at)
            case SignalUnheeded():
                termination.unheeded(attempt)
            case SignalHeeded():
                attempt.unheeded = False
            case Beaten(began_at, ended_at):
                attempt.contact = fence.beaten(attempt.contact, began_at, ended_at, self._timings)
            case Demanded(_, demand, now):
                self._heed(attempt, demand, now, out)

    # --- time: asked of all that live in each turn ------------------------------------------------

    def fence(self, attempt: HeldAttempt, now: Moment, out: Instructions) -> None:
        """Pause an attempt that must not run any more."""
        if (
            not attempt.is_fenced
            and attempt.phase is Phase.RUNNING
            and not fence.may_run(attempt.contact, now.at, self._timings)
        ):
            pausing.pause(attempt, Pause("fence", _NO_CONTACT), now.at, out)

    def tick(self, attempt: HeldAttempt, now: Moment, out: Instructions) -> None:
        """Pause, resume, time out or kill an attempt, if that is due."""
        self.fence(attempt, now, out)
        if attempt.is_fenced and fence.may_run(attempt.contact, now.at, self._timings):
            pausing.resume(attempt, {"fence"}, now.at, out)
        self._pass_signals_on(attempt, out)
        termination.signal_ahead(attempt, now.at, out)
        if termination.is_over_limit(attempt, now.at):
            self._end(attempt, ("timeout", termination.limit_reason(attempt)), now, out)
        else:
            termination.go_on(attempt, now.at, out)

    # --- the single steps -----------------------------------------------------------------------

    def _begin(self, attempt: HeldAttempt, event: Started, out: Instructions) -> Phase:
        attempt.started = event.started
        limit_s = attempt.order.time_limit_s
        attempt.limit_at = None if limit_s is None else event.started.at + limit_s
        out.started.append(event.started)
        if attempt.ending is not None:
            out.terminate.append(attempt.target)
        return Phase.RUNNING

    def _keep_signal(self, attempt: HeldAttempt, event: SignalAsked, out: Instructions) -> None:
        if event.sequence > attempt.sequence:
            attempt.sequence = event.sequence
            attempt.sent.append((event.number, event.whom))
        out.obeyed.append((attempt.id, attempt.sequence))

    def _pass_signals_on(self, attempt: HeldAttempt, out: Instructions) -> None:
        if not attempt.sent or attempt.phase is not Phase.RUNNING or attempt.paused_at is not None:
            return  # SIGCONT would resume what is paused
        own = attempt.order.signal
        for number, whom in attempt.sent:
            waits = attempt.ending is None
            out.signal.append(Request(attempt.target, number, whom, waits))
            if own is not None and number == own.number:
                its = Whom.SCRIPT if own.first_only else Whom.PROGRAM
                attempt.own_sent |= whom in (its, Whom.ALL)
        attempt.sent = []

    def _requeue(self, attempt: HeldAttempt, event: RequeueAsked, out: Instructions) -> Phase:
        if attempt.ending is not None and attempt.ending[0] != "timeout":
            return attempt.phase  # its user has canceled it, or it is handed back already
        attempt.asked_s = event.asked_s
        attempt.signaled |= attempt.own_sent  # it has acted on that, and is not told a second time
        return self._end(attempt, _REQUEUED, event.now, out)

    def _heed(self, attempt: HeldAttempt, demand: Demand, now: Moment, out: Instructions) -> None:
        """Do what the manners of a guest demand.

        An attempt that ends already is left to end, unless others cannot wait for that.
        """
        if attempt.phase is not Phase.RUNNING:
            return
        if attempt.ending is not None:
            if demand.end is not None and demand.end.most_grace_s == 0:
                termination.hurry(attempt, now.at)
            return
        pausing.squeeze(attempt, demand.cores, now.at, out)
        if demand.end is not None:
            attempt.most_grace_s = demand.end.most_grace_s
            attempt.shortage = demand.end.shortage
            self._end(attempt, (demand.end.outcome, demand.end.reason), now, out)
            return
        asked = {one.reason: one for one in demand.pauses}
        for why in asked.values():
            pausing.pause(attempt, why, now.at, out)
        pausing.resume(attempt, attempt.paused_by.keys() - asked.keys() - {"fence"}, now.at, out)

    def _end(
        self, attempt: HeldAttempt, why: tuple[Outcome, str], now: Moment, out: Instructions
    ) -> Phase:
        if attempt.phase is Phase.WAITING:
            return self._end_unstarted(attempt, why, now, out)
        if attempt.phase in (Phase.STARTING, Phase.RUNNING):
            # Whoever is at the desk waits until it has saved its state; the fence does not.
            pausing.resume(attempt, attempt.paused_by.keys() - {"fence"}, now.at, out)
            termination.begin(attempt, *why, now.at, out)
            attempt.remember(now.at, f"it is to end: {why[0]}")
        return attempt.phase

    def _stored(self, attempt: HeldAttempt, event: Stored, out: Instructions) -> Phase:
        if attempt.result is None:
            return attempt.phase
        if event.last_line or event.has_said:
            attempt.result = replace(
                attempt.result, last_line=event.last_line, has_said=event.has_said
            )
        if attempt.phase is Phase.RECORDING:
            if not event.is_written:
                attempt.result = replace(attempt.result, unwritten=True)
            out.ended.append(attempt.result)
        return Phase.ENDED

    def _end_unstarted(
        self, attempt: HeldAttempt, why: tuple[Outcome, str], now: Moment, out: Instructions
    ) -> Phase:
        started_at = attempt.started.started_at if attempt.started else None
        result = unstarted_result(attempt.id, self._place, why, now.utc, started_at)
        return self._report(attempt, result, out)

    def _report(self, attempt: HeldAttempt, result: Result, out: Instructions) -> Phase:
        attempt.result = result
        pausing.let_go(attempt)
        out.record.append(result)
        out.ended.append(result)
        return Phase.ENDED
