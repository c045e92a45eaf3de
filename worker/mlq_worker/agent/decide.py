"""What the worker does in a turn: pure.

`decide` gets the facts of this turn and returns the actions; the effects carry them out, and the
worker looks again. No code reacts directly to what it notices, so there is no second path for
recovery: a worker that starts after a crash finds results to commit, attempts to adopt and leases
to renew in its first turn.

The order is what keeps it safe. The worker starts claimed jobs before it claims any more, so that
no room is given out twice. It tells the supervisor a renewal's reply, and stops, before it commits
an end. And a renewal ends its turn: its reply takes effect before the worker commits or claims
anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlq.jobs.signals import is_sendable
from mlq.machines.said import STOPPED
from mlq.store.replies import HeldAttempt, SentSignal
from mlq_worker.agent.actions import (
    Action,
    Adopt,
    AvoidQueue,
    CompareAbsences,
    Confirm,
    Exit,
    HangUp,
    NoteStarts,
    PassSignalsOn,
    Propose,
    Publish,
    RaiseNumbers,
    ReadHeld,
    ReadHistories,
    ReadLargestNumber,
    ReadMachines,
    ReadOrphans,
    ReadProgress,
    ReadStarts,
    RecordStalled,
    RecordStopRequests,
    ReleaseName,
    Renew,
    Resign,
    RestoreProbation,
    SettleOrphans,
    Start,
    Stop,
)
from mlq_worker.agent.admission import admit
from mlq_worker.agent.collecting import Annotate, collect
from mlq_worker.agent.committing import commit, commit_and_claim
from mlq_worker.agent.conduct import judge, lasting, unwanted
from mlq_worker.agent.copying import TakeCopierRole, keep_copy
from mlq_worker.agent.cramped import leaving
from mlq_worker.agent.facts import Facts, Mode
from mlq_worker.agent.history import Patience
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.orphans import Here, orphan_moves
from mlq_worker.agent.prefetch import stalled
from mlq_worker.agent.reaper import (
    ApplyVerdicts,
    TakeReaperRole,
    TellDependents,
    reap,
    sightings,
    verdict_moves,
)
from mlq_worker.guest.boards.turn_file import AGAIN_S, Turn
from mlq_worker.ipc.values import Outcome

# Why it takes no jobs, as `mlq machines` and `mlq explain` tell it.
_NOTES = {
    Mode.DRAIN: "draining: it takes no more jobs",
    Mode.RELEASE: "handing its jobs back to the queue",
}


def decide(facts: Facts) -> list[Action]:
    """Return what to do now, in order; an empty list means wait."""
    if not facts.is_linked:
        return _without_supervisor(facts)
    actions = [*_start(facts), *_heed_renewal(facts)]
    if facts.mode is Mode.HANDOVER:
        return actions or _commit_last(facts) or _leave(facts)
    if facts.renewal is None:
        actions += _stop(facts)
    actions += keep_copy(facts.copier, facts.context.machine)
    actions += collect(facts.collector, facts.now_s)
    if facts.now_s >= facts.queue_retry_s:
        actions += _with_queue(facts)
    if not actions and _is_done(facts):
        return _leave(facts)
    return actions


def _without_supervisor(facts: Facts) -> list[Action]:
    if facts.mode is Mode.HANDOVER:
        return _leave(facts)
    is_due = facts.now_s >= max(facts.link_retry_s, facts.queue_retry_s)
    return [Adopt()] if is_due else []


# --- with the supervisor alone -------------------------------------------------------------------


def _start(facts: Facts) -> list[Action]:
    """Start what was claimed; propose the moves of jobs that must not run here."""
    claimed = facts.claimed
    if claimed is None:
        return []
    admitted = admit(claimed, facts.offer, facts.attempts, facts.context, facts.utc_s)
    actions: list[Action] = []
    if admitted.refused:
        here = facts.context.machine
        actions.append(Propose(tuple(one._replace(machine=here) for one in admitted.refused)))
    if admitted.orders:
        actions.append(Start(admitted, claimed.claimed_s))
    return actions


def _heed_renewal(facts: Facts) -> list[Action]:
    """Tell the supervisor what a renewal's reply says, and stop what users want to end."""
    if facts.renewal is None:
        return []
    renewal = facts.renewal.renewal
    actions: list[Action] = [Confirm(renewal, facts.renewal.sent_s)]
    if renewal.holder is not None:
        # The queue gave what ran here up for dead. Nothing is started; what still runs is paused
        # until the queue has judged it.
        refusal = renewal.holder.refusal()
        actions.append(AvoidQueue(refusal) if facts.attempts.active() else Resign(refusal))
        return actions
    if renewal.stop or renewal.requeue:
        actions.append(RecordStopRequests(renewal.stop, renewal.requeue))
    signals = _sendable(facts, renewal.signal)
    if signals:
        actions.append(PassSignalsOn(signals))
    running = _stoppable(facts)
    canceled = [one for one in running if one.attempt in renewal.stop]
    if canceled:
        actions.append(_stop_action(canceled, "canceled", "canceled"))
    for attempt, reason in renewal.requeue.items():
        asked = [one for one in running if one.attempt == attempt]
        if asked:
            actions.append(_stop_action(asked, "released", reason))
    return actions


def _sendable(facts: Facts, signals: Iterable[SentSignal]) -> tuple[SentSignal, ...]:
    """Return which signals are for attempts that run here; anybody may have written any number."""
    active = {one.attempt for one in facts.attempts.active()}
    return tuple(one for one in signals if one.key in active and is_sendable(one.number, one.whom))


def _stop(facts: Facts) -> list[Action]:
    """Hand back attempts that should not go on here."""
    active = _stoppable(facts)
    if facts.mode is Mode.RELEASE:
        ends = facts.offer.left_s == 0
        back = f"handed back: {'its allocation ends' if ends else 'the worker was stopped'}"
        return [_stop_action(active, "released", back)] if active else []
    over = [
        (key, facts.oversteps[key]) for one in active if (key := one.attempt) in facts.oversteps
    ]
    if over:
        return [Stop((key,), "overstepped", why.reason, why.shortage) for key, why in over]
    late = stalled(active, facts.now_s)
    if late:
        waited_s = {one.class_name: facts.now_s - one.started_s for one in late}
        long = [RecordStalled(name, seconds) for name, seconds in waited_s.items()]
        return [
            *long,
            _stop_action(late, "released", "handed back: the job ahead of it takes long"),
        ]
    left = leaving(
        [one for one in active if one.attempt in facts.cramped],
        facts.machines,
        facts.context.machine,
        facts.context.settings.lease_s,
    )
    if left is not None:
        return [_stop_action([left[0]], "released", left[1])]
    doomed = unwanted(facts.conduct, active)
    if doomed:
        return [_stop_action(doomed, "released", "handed back: jobs like it fail here")]
    return []


def _stop_action(attempts: Iterable[LocalAttempt], outcome: Outcome, reason: str) -> Stop:
    return Stop(tuple(one.attempt for one in attempts), outcome, reason)


def _stoppable(facts: Facts) -> list[LocalAttempt]:
    """Return the attempts that were not yet told to end."""
    return [one for one in facts.attempts.active() if not one.stopping]


# --- with the queue ------------------------------------------------------------------------------


def _with_queue(facts: Facts) -> list[Action]:
    if facts.renewal is not None:
        return [] if facts.renewal.renewal.holder is not None else _after_renewal(facts)
    if not facts.is_restored:
        return [RestoreProbation()]
    machine = facts.context.machine
    conduct = judge(facts.conduct, facts.starts, machine)
    if facts.now_s >= facts.renew_due_s:
        return [*conduct, Renew()]
    return [
        *conduct,
        *_show(facts),
        *_ask(facts),
        *_judge_others(facts),
        *reap(facts.reaper, machine),
        *commit_and_claim(facts),
    ]


def _after_renewal(facts: Facts) -> list[Action]:
    """Return what to do once a beat, after the renewal."""
    active = facts.attempts.active()
    actions: list[Action] = []
    if facts.are_numbers_unsure and facts.largest_number is None:
        actions.append(ReadLargestNumber())
    actions.append(Publish(facts.mode, _note(facts)))
    if facts.absences.words:
        actions.append(CompareAbsences())
    lasted = lasting(active, facts.now_s)
    if lasted:
        actions.append(NoteStarts(lasted))
    if facts.conduct.probation.reason and facts.conduct.bad_starts:
        actions.append(ReadStarts(after_bad_start=False))
    actions += [ReadHeld(), TakeReaperRole()]
    if facts.copier.may_take_role:
        actions.append(TakeCopierRole())
    if facts.cramped:
        actions.append(ReadMachines())
    if active:
        actions.append(ReadProgress(tuple(one.attempt for one in active)))
    return actions


def _show(facts: Facts) -> list[Action]:
    """Publish at once that the operator changed the mode, or that something is missing here."""
    if facts.absences.is_new:
        # In this order two machines that miss the same thing at once cannot both believe that the
        # other one has it.
        return [Publish(facts.mode, _note(facts)), CompareAbsences()]
    return [] if facts.shown_mode is facts.mode else [Publish(facts.mode, _note(facts))]


def _note(facts: Facts) -> str:
    """Return why the worker takes no jobs; "" if it does."""
    return _NOTES.get(facts.mode) or facts.obstacle or facts.conduct.probation.note()


def _ask(facts: Facts) -> list[Action]:
    """Ask for what a decision lacks, and pass on what has become known."""
    actions: list[Action] = []
    if facts.has_untold:
        actions.append(TellDependents())
    if facts.collector.late:
        actions.append(Annotate(facts.collector.late))
    if facts.largest_number is not None:
        actions.append(RaiseNumbers(facts.largest_number))
    if facts.conduct.has_new_bad_start:
        actions.append(ReadStarts(after_bad_start=True))
    orphans = _unknown_here(facts, facts.held)
    if orphans:
        actions.append(ReadOrphans(tuple(orphans)))
    return actions


def _unknown_here(facts: Facts, held: Iterable[HeldAttempt]) -> list[HeldAttempt]:
    """Return which of these attempts neither run here nor have a waiting move.

    A queue that lost its last second may give out the number of a forgotten attempt again.
    """
    known = {*facts.attempts.by_key, *((move.id, move.attempt) for move in facts.pending)}
    known |= facts.claimed.keys if facts.claimed is not None else frozenset()
    return [one for one in held if one.key not in known]


def _judge_others(facts: Facts) -> list[Action]:
    """Judge orphans and, as the reaper, other machines' attempts, by the past of their jobs."""
    orphans, results = facts.orphans or ([], {})
    orphans = _unknown_here(facts, orphans)
    judged = facts.reaper.judged
    ids = {one.id: None for one in (*orphans, *(judged.over if judged is not None else ()))}
    past, settings, machine = facts.histories, facts.context.settings, facts.context.machine
    if not ids.keys() <= past.keys():
        return [ReadHistories(tuple(ids))]
    actions: list[Action] = []
    if facts.orphans is not None:
        here = Here(settings, facts.context.boot_id, facts.supervisor_id)
        moves = orphan_moves(orphans, results, past, here, facts.utc_s)
        actions.append(SettleOrphans(tuple(one._replace(machine=machine) for one in moves)))
    if judged is not None:
        moves = verdict_moves(judged, past, Patience.of(settings), facts.utc_s)
        due = facts.refused.due(moves, facts.now_s)
        actions.append(ApplyVerdicts(tuple(due), sightings(judged)))
    return actions


# --- leave ---------------------------------------------------------------------------------------


def _commit_last(facts: Facts) -> list[Action]:
    return commit(facts) if facts.now_s >= facts.queue_retry_s else []


def _is_done(facts: Facts) -> bool:
    """Return whether a worker that must leave after its last job has nothing left to do."""
    is_told = facts.mode in (Mode.DRAIN, Mode.RELEASE)
    ends = facts.attempts.ended()
    is_read = not any(facts.collector.is_awaited(one.attempt, facts.now_s) for one in ends)
    return is_told and is_read and not facts.attempts.active() and not commit(facts)


def _leave(facts: Facts) -> list[Action]:
    keeps_name = bool(facts.attempts.by_key)
    release: list[Action] = [] if keeps_name else [ReleaseName()]
    return [HangUp(), Publish(facts.mode, STOPPED), *release, Exit()]


def next_turn_s(facts: Facts, idle_s: float) -> float:
    """Return how many seconds the worker may wait if nothing wakes it."""
    due = [facts.renew_due_s, facts.collector.next_s(facts.now_s)]
    if facts.mode is Mode.RUN:
        due.append(facts.peek_due_s)
    if facts.turn is Turn.AWAITED:
        due.append(facts.now_s + AGAIN_S)
    if not facts.is_linked:
        due = [facts.link_retry_s]
    soonest = max(min(due), facts.queue_retry_s)
    return min(idle_s, facts.leaves_in_s, max(0.0, soonest - facts.now_s))
