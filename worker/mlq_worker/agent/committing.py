"""Which ends are committed and which jobs are claimed in a turn: pure.

Ends become moves of the life cycle in `outcomes`; what to claim is planned in `schedule`. Both
travel to the queue in one round trip. The worker claims nothing while an earlier claim has yet to
start, or while an obstacle stands; a move that the queue refused waits, and an end waits a moment
for the last reading of its attempt.
"""

from __future__ import annotations

from mlq.store.operations import Claimant, Move
from mlq_worker.agent.actions import Action, CommitAndClaim, Reinstate, Reserve
from mlq_worker.agent.attempt_result import AttemptResult, with_figures
from mlq_worker.agent.facts import Facts, Mode
from mlq_worker.agent.history import Patience
from mlq_worker.agent.learning import Cards, lesson
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.outcomes import ending
from mlq_worker.agent.schedule import Plan, plan
from mlq_worker.guest.boards.turn_file import Turn


def commit(facts: Facts) -> list[Action]:
    """Return what to commit when the worker must claim nothing more."""
    moves = due_moves(facts)
    commits: list[Action] = [CommitAndClaim(moves)] if moves else []
    return [*reinstatements(facts), *commits]


def commit_and_claim(facts: Facts) -> list[Action]:
    """Return what to commit and to claim, when the worker may do both."""
    reinstated = reinstatements(facts)
    moves = due_moves(facts)
    wanted = _plan(facts) if facts.mode is Mode.RUN else None
    is_peek_due = facts.mode is Mode.RUN and facts.now_s >= facts.peek_due_s
    actions: list[Action] = [*reinstated]
    if is_peek_due and wanted is not None and wanted.reserve is not None:
        # Repeated with each look at the waiting jobs, not in each turn: each round trip causes
        # another turn.
        actions.append(Reserve(wanted.reserve))
    if moves or is_peek_due or (wanted is not None and wanted.fits):
        actions.append(_round_trip(facts, moves, wanted or Plan()))
    return actions


def _round_trip(facts: Facts, moves: tuple[Move, ...], wanted: Plan) -> CommitAndClaim:
    names = [name for name, _ in wanted.fits]
    lacks = facts.absences.to_leave(names, facts.context.settings.default_mem_mib)
    if facts.unable:
        lacks = {name: lacks.get(name, frozenset()) | facts.unable for name in names}
    return CommitAndClaim(moves, wanted.fits, wanted.only, tuple(lacks.items()))


def _plan(facts: Facts) -> Plan | None:
    """Return what to claim now; None if nothing may be claimed."""
    if facts.obstacle or facts.plan_input is None or facts.claimed is not None:
        return None
    if facts.turn is Turn.AWAITED:
        return None  # another user's worker looks and plans at this moment
    if facts.conduct.has_new_bad_start or facts.starts is not None:
        return None  # for a moment: a command may be about to be held, and its jobs with it
    settings = facts.context.settings
    wanted = plan(facts.plan_input, settings.patience_s, settings.default_mem_mib)
    held = len(facts.attempts.active())
    return facts.conduct.probation.allowed(wanted, held, facts.now_s)


def due_moves(facts: Facts) -> tuple[Move, ...]:
    """Return the moves that may be committed now: of ended attempts, and those that wait."""
    patience = Patience.of(facts.context.settings)
    ends = [
        _end(facts, one, with_figures(one.result, one.figures), patience)
        for one in facts.attempts.ended()
        if one.result is not None
        and one.result.found is None
        and facts.absences.is_judged(one)
        and not facts.collector.is_awaited(one.attempt, facts.now_s)
    ]
    return tuple(facts.refused.due([*facts.pending, *ends], facts.now_s))


def _end(facts: Facts, ended: LocalAttempt, result: AttemptResult, patience: Patience) -> Move:
    move = ending(result, ended.history, patience, facts.absences.nowhere(ended))
    learned = lesson(result, ended.params, _cards(facts, ended))
    machine = facts.context.machine
    return move._replace(signature=ended.signature, machine=machine, learned=learned)


def _cards(facts: Facts, ended: LocalAttempt) -> Cards:
    return Cards.of([one for one in facts.offer.gpus if one.uuid in ended.gpu_uuids])


def reinstatements(facts: Facts) -> list[Reinstate]:
    """Return which jobs to put back to attempts that the queue has forgotten.

    The results root already knew the number of a claim. The attempt that has it may run on another
    machine, or have ended with a result. If the worker handed the job back, it would start a second
    time beside that attempt.
    """
    context = facts.context
    us = Claimant(context.machine, context.boot_id, facts.supervisor_id)
    actions = []
    for one in facts.attempts.ended():
        if one.result is not None and one.result.found is not None:
            number, *words = one.result.found
            # If its machine is not known, this machine is assumed: it then finds the result, or
            # finds that the attempt never started.
            who = Claimant(*words) if all(words) else us
            actions.append(Reinstate(one.attempt, number, who, one.result.reason))
    return actions
