"""What the worker does with the queue: one short function for each action; none decides.

The queue's replies go into the memory, as facts of the next turn.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import singledispatchmethod
from typing import Any

from mlq.api.many import hold_waiting
from mlq.api.taking_back import take_back
from mlq.jobs.request import JobClass
from mlq.lenient import dict_or_empty, int_or
from mlq.machines.health import offset_s
from mlq.machines.said import STOPPED
from mlq.store.job_hashes import stock_call
from mlq.store.operations import (
    Claimant,
    Move,
    Operation,
    claim_operation,
    move_operation,
    soon_gone,
)
from mlq.store.replies import Claim, Moved, Waiting
from mlq.store.store import Store
from mlq_worker.agent.actions import (
    Adopt,
    CommitAndClaim,
    CompareAbsences,
    NoteStarts,
    Publish,
    QueueAction,
    RaiseNumbers,
    ReadHeld,
    ReadHistories,
    ReadMachines,
    ReadStarts,
    Reinstate,
    ReleaseName,
    Renew,
    Reserve,
    RestoreProbation,
)
from mlq_worker.agent.admission import Claimed, RqData, adopted
from mlq_worker.agent.collecting import Annotate
from mlq_worker.agent.conduct import HoldCommand, SeenStarts, TakeBack
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copying import TakeCopierRole
from mlq_worker.agent.facts import RenewalReply
from mlq_worker.agent.growth import with_texts
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import fields_of
from mlq_worker.agent.machine_record import WorkerHealth, cannot_do, machine_record, rq_worker
from mlq_worker.agent.memory import Memory
from mlq_worker.agent.reaper import RoleAction
from mlq_worker.agent.starts import Seen

_FIELDS = (
    "status",
    "mlq_spec",
    "mlq_retries",
    "mlq_failures",
    "mlq_losses",
    "mlq_stop",
    "mlq_folder_faults",
    "origin",
    "mlq_requeue",
    "mlq_wish",
    "mlq_oom_retries",
    "mlq_ooms",
    "mlq_crowded",
    "mlq_soon_asked",
)


def histories(store: Store, ids: Iterable[str]) -> dict[str, History]:
    """Return the past of these jobs, by id; an empty one for a job that the queue does not know."""
    found = {job_id: History() for job_id in ids}
    for row in store.reads.rows(_FIELDS, list(found)):
        job_id, _, spec, retries, failures, losses, stop, faults, origin, requeue, *more = row
        # For a job that an older mlq enqueued, only the description says it.
        asked = int_or(retries) or int_or(dict_or_empty(spec).get("retries", 0))
        wish, *counts = more
        oom_retries, of_memory, crowded, soon_asked = map(int_or, counts)
        found[job_id] = History(
            asked,
            int_or(failures),
            int_or(losses),
            stop,
            int_or(faults),
            JobClass.parse(origin, default_mem_mib=1).request if origin else None,
            oom_retries,
            of_memory,
            crowded,
            requeue=requeue != "0",
            soon_asked=soon_asked,
            wish=wish,
        )
    return found


log = logging.getLogger(__name__)

_RESERVED_BEATS = 3
ENDED_S = 600.0  # how long `mlq machines` shows a worker of an allocation that has ended


class QueueEffects:
    """Carries out actions that need the queue.

    Args:
        memory: the worker's memory.
        context: this machine.
        store: the queue.
    """

    def __init__(self, memory: Memory, context: MachineContext, store: Store) -> None:
        self._memory, self._context, self._store = memory, context, store
        self._session, self._settings = memory.session, context.settings
        self._now_s, self._utc_s = context.clocks.boot_s, context.clocks.utc_s
        self._started_s = self._utc_s()

    @singledispatchmethod
    def act(self, action: QueueAction) -> None:
        """Carry one action out.

        Raises:
            QueueUnreachableError: the queue does not answer.
            QueueRefusedError: it refuses the worker, or another queue answers.
            SupervisorError: the supervisor can be neither found nor started.
        """
        raise NotImplementedError(action)

    # --- once a supervisor, once a beat ---------------------------------------------------------

    @act.register
    def _adopt(self, _action: Adopt) -> None:
        link = self._context.reach_supervisor()
        held = link.hello["attempts"]
        rows = self._store.reads.rows(("status", "origin"), [one["id"] for one in held])
        classes = {row[0]: row[2] for row in rows}
        past = histories(self._store, [one["id"] for one in held])
        now_s, utc_s, settings = self._now_s(), self._utc_s(), self._settings
        self._session.adopt(
            link,
            [
                adopted(one, classes.get(one["id"], ""), past[one["id"]], settings, now_s, utc_s)
                for one in held
            ],
        )
        self._memory.renew_due_s = 0.0
        self._memory.backlog.call()

    @act.register
    def _restore_probation(self, _action: RestoreProbation) -> None:
        _, record = self._store.reads.machines().get(self._context.machine, (0.0, {}))
        self._memory.conduct.probation.restore(record.get("aside"), self._now_s())
        self._memory.is_restored = True

    @act.register
    def _renew(self, _action: Renew) -> None:
        sent_s, now_s = self._now_s(), self._utc_s()
        # Ended attempts, too: a queue that has forgotten one takes it back, and then its result.
        listed = list(self._memory.attempts.by_key.values())
        untold = {one.attempt: one.untold for one in listed if one.result is None}
        held = [
            (
                *one.attempt,
                one.share,
                one.result is not None,
                one.signature,
                [part for pair in untold.get(one.attempt, {}).items() for part in pair],
            )
            for one in listed
        ]
        renewal = self._store.renew(
            self._settings.machine,
            held,
            self._settings.lease_s,
            now_s,
            self._context.boot_id,
            self._session.supervisor_id,
        )
        self._memory.attempts.told(untold, renewal)
        off_s = offset_s(now_s, self._now_s() - sent_s, renewal.server_s)
        self._memory.renewed(RenewalReply(renewal, sent_s), off_s)

    @act.register
    def _publish(self, action: Publish) -> None:
        memory, utc_s = self._memory, self._utc_s()
        record = machine_record(
            memory.monitor.report, memory.offer(), memory.attempts, self._health(action.note)
        )
        running = bool(memory.attempts.active())
        worker = rq_worker(self._settings.machine, running, self._started_s, utc_s)
        inside = self._context.inside
        # No worker of an allocation's name comes back.
        ttl_s = ENDED_S if inside else self._settings.forget_machines_days * 86400
        self._store.roles.record_machine(self._settings.machine, record, worker, ttl_s)
        if memory.neighbourhood.is_on and action.note != STOPPED:
            people = memory.neighbourhood.people(memory.attempts, memory.monitor.report)
            lasts_s = self._settings.lease_s
            self._store.roles.show_people(self._settings.machine, people, lasts_s)
        memory.shown_mode = action.mode

    def _health(self, note: str) -> WorkerHealth:
        memory = self._memory
        refused = memory.refused.words(self._now_s())
        turn = memory.neighbourhood.unwell()
        troubles = (memory.queue.unwell, self._session.unwell(), refused, turn)
        return WorkerHealth(
            self._session.supervisor_id,
            self._started_s,
            note,
            "; ".join(filter(None, troubles)),
            self._context.tunnel,
            [*memory.absences.as_json(), *cannot_do(self._session.unable)],
            refused,
            memory.conduct.probation.as_json(),
            memory.clock_off_s,
            self._context.inside.words if self._context.inside else "",
            self._session.guest,
            memory.kept_for_others(),
        )

    @act.register
    def _compare_absences(self, _action: CompareAbsences) -> None:
        self._memory.absences.compare(self._store.reads.machines(), self._settings.lease_s)

    @act.register
    def _raise_numbers(self, action: RaiseNumbers) -> None:
        self._store.raise_numbers(action.largest)
        self._memory.queue.raised()

    @act.register
    def _read_held(self, _action: ReadHeld) -> None:
        self._memory.replies.held = tuple(self._store.held(self._settings.machine))

    @act.register
    def _read_histories(self, action: ReadHistories) -> None:
        self._memory.replies.histories = histories(self._store, action.ids)

    @act.register
    def _read_machines(self, _action: ReadMachines) -> None:
        self._memory.replies.machines = self._store.reads.machines()

    @act.register
    def _take_copier_role(self, _action: TakeCopierRole) -> None:
        self._memory.copier.take()

    @act.register
    def _reap(self, action: RoleAction) -> None:
        self._memory.reaper.act(action)

    # --- how jobs start -------------------------------------------------------------------------

    @act.register
    def _note_starts(self, action: NoteStarts) -> None:
        starts = [(one.attempt[0], "good") for one in action.attempts]
        self._store.note_starts(self._context.machine, starts)
        for one in action.attempts:
            one.start_noted = True
        self._memory.conduct.went_well()

    @act.register
    def _read_starts(self, action: ReadStarts) -> None:
        told = self._store.starts(self._memory.conduct.words, self._settings.lease_s)
        self._memory.replies.starts = SeenStarts(Seen.parse(told), action.after_bad_start)
        self._memory.conduct.has_new_bad_start = False

    @act.register
    def _hold_command(self, action: HoldCommand) -> None:
        self._memory.conduct.held_words.add(action.word)
        found = hold_waiting(self._store, action.word, action.reason, self._utc_s())
        log.warning("%d jobs are held: %s", len(found), action.reason)

    @act.register
    def _take_back(self, action: TakeBack) -> None:
        ids, settings = action.job_ids, self._settings
        done = take_back(self._store, ids, settings.machine, self._utc_s(), settings.courtesy_s)
        if done:
            log.warning("%d jobs that failed here run again elsewhere", len(done))

    # --- commit and claim -----------------------------------------------------------------------

    @act.register
    def _reinstate(self, action: Reinstate) -> None:
        done = self._store.reinstate(action.attempt, action.found, action.who, self._utc_s())
        if done:
            who = action.who.machine
            log.warning("job %s: %s; it is held by %s", action.attempt[0], action.reason, who)
        self._memory.committed([action.attempt])

    @act.register
    def _reserve(self, action: Reserve) -> None:
        ttl_s = _RESERVED_BEATS * self._settings.beat_s
        self._store.reserve_machine(action.job_id, self._settings.machine, ttl_s)

    @act.register
    def _commit_and_claim(self, action: CommitAndClaim) -> None:
        sent_s = self._now_s()
        moves = with_texts(action.moves, self._store, self._context.key, self._settings.lease_s)
        # A claim must be on the server's disk before the worker acts on it.
        replies = self._store.runner.run_on_disk(*self._operations(action, moves))
        refused = Moved.from_reply(replies[0]).refused if action.moves else ()
        claimed = replies[-2]["claims"] or () if action.fits else ()
        self._memory.moved(moves, refused, sent_s)
        self._memory.replies.has_untold = bool(action.moves) and replies[0]["untold"] > 0
        self._memory.backlog.show(
            Waiting.from_reply(replies[-1]),
            sent_s,
            tried=bool(action.fits),
            brought=bool(claimed),
            holds=bool(claimed or self._memory.attempts.by_key),
        )
        self._memory.claimed(self._claimed(claimed, sent_s))

    @act.register
    def _annotate(self, action: Annotate) -> None:
        known = [
            (*key, [part for pair in fields_of(one).items() if pair[1] for part in pair])
            for key, one in action.late
        ]
        self._store.annotate(known)
        self._memory.collector.annotated(action.late)

    def _operations(self, action: CommitAndClaim, moves: Sequence[Move]) -> Iterable[Operation]:
        utc_s, settings = self._utc_s(), self._settings
        who = Claimant(settings.machine, self._context.boot_id, self._session.supervisor_id)
        if moves:
            yield move_operation(moves, utc_s, settings.courtesy_s)
        if action.fits:
            lacks = dict(action.lacks)
            claim = claim_operation(action.fits, who, settings.lease_s, utc_s, action.only, lacks)
            yield soon_gone(claim, self._memory.offer().left_s)
        yield Operation("peek", {})

    def _claimed(self, raw: Iterable[dict[str, Any]], sent_s: float) -> Claimed:
        claims = tuple(Claim.from_reply(one) for one in raw)
        return Claimed(
            claims, {one.id: self._rq_data(one.id) for one in claims if not one.signature}, sent_s
        )

    def _rq_data(self, job_id: str) -> RqData:
        """Return what plain rq wrote about a job that it enqueued."""
        data, limit_s = stock_call(self._store.client, job_id)
        return RqData(data, limit_s if limit_s > 0 else None)

    @act.register
    def _release_name(self, _action: ReleaseName) -> None:
        self._store.roles.release_name(self._context.identity)
