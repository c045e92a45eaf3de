"""What the worker's loop sees and does: the thin edge around `decide`.

`look` turns the supervisor's words, the queue's replies, NFS and the machine into facts; `act`
carries one action out. The queue may be away at any moment: then what it should have heard stays
here (ends to commit stay with the supervisor too) and is said again when it is back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from mlq.errors import MlqError, QueueRefusedError, QueueUnreachableError, SupervisorError
from mlq.jobs.placement import Offer
from mlq.machines.clock_offset import offset_s
from mlq.store.machine_names import NameHolder
from mlq.store.operations import Claimant, Move, Operation, claim_operation, move_operation
from mlq.store.replies import Attempt, Claim, Moved, Refusal, Waiting
from mlq.store.store import Store
from mlq_worker.agent.absences import Absences
from mlq_worker.agent.admission import Admission, adopted
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.backlog import Backlog
from mlq_worker.agent.conduct import Conduct
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copying import Copying
from mlq_worker.agent.decide import (
    Action,
    Adopt,
    ApplyVerdicts,
    CommitAndClaim,
    Exit,
    Facts,
    Mode,
    Renew,
    Reserve,
    Stop,
)
from mlq_worker.agent.forgotten_claims import put_back
from mlq_worker.agent.machine_record import WorkerHealth, machine_record, rq_worker
from mlq_worker.agent.monitor import ResourceMonitor
from mlq_worker.agent.nfs_reads import NfsReads
from mlq_worker.agent.orphans import Here, orphan_moves
from mlq_worker.agent.outcomes import History, Patience, ending
from mlq_worker.agent.queue_state import QueueState
from mlq_worker.agent.reaper import TOLD_SLICES, Reaper, histories
from mlq_worker.agent.refused_moves import RefusedMoves
from mlq_worker.agent.schedule import Plan
from mlq_worker.agent.supervisor_session import SupervisorSession

log = logging.getLogger(__name__)

_RETRY_S = 1.0
# Why it takes no jobs, as `mlq machines` and `mlq explain` tell it.
_NOTES = {
    Mode.DRAIN: "draining: it takes no more jobs",
    Mode.RELEASE: "handing its jobs back to the queue",
}


class Effects:
    """The worker's connections and memory.

    Args:
        context: this machine and everything that belongs to it.
        store: the queue.
        ring: wakes the loop; may be called from any thread.
    """

    def __init__(self, context: MachineContext, store: Store, ring: Callable[[], None]) -> None:
        self._context, self._store, self._settings = context, store, context.settings
        self._now_s, self._utc_s = context.clocks.boot_s, context.clocks.utc_s
        beat_s = context.settings.beat_s
        self._refused = RefusedMoves(self._now_s, beat_s)
        self._reaper = Reaper(store, context, ring, self._refused)
        self._copying = Copying(store, context, ring)
        self._nfs = NfsReads(context.layout, context.new_reader, ring, self._now_s, beat_s)
        self._monitor = ResourceMonitor(context, self._now_s(), context.own_pids(None))
        self._admission = Admission(context, store)
        self.session = SupervisorSession(context)
        self._moves: list[Move] = []
        self._backlog = Backlog(context.settings)
        self._queue = QueueState(context.layout, context.new_reader, ring)
        self._absences = Absences(context.machine)
        self._conduct = Conduct(context, store)
        self._started_s = self._utc_s()
        self._renew_due_s = self._link_retry_s = 0.0
        self._renewed = False
        self._clock_off_s: float | None = None
        self._mode = Mode.RUN
        self._is_displaced = False

    # --- what the loop asks ---------------------------------------------------------------------

    @property
    def queue_is_down(self) -> bool:
        """Whether the queue did not answer last time, and it is too early to ask again."""
        return self._now_s() < self._queue.retry_s

    @property
    def settled(self) -> bool:
        """Whether the first turn's work is done: the worker works."""
        return self.session.link is not None and self._renewed

    def summary(self) -> str:
        """Return in a line what this machine offers."""
        parts = (
            self.session.summary(self._offer()),
            self._monitor.gpus_in_words(),
            self.session.unwell(),
            self._queue.unwell,
        )
        return "; ".join(one for one in parts if one)

    def woken(self, messages: set[str]) -> None:
        """The queue called: there is work, or somebody wants a job stopped."""
        if "work" in messages:
            self._backlog.call()
        if "stop" in messages:
            self._renew_due_s = 0.0

    def queue_failed(self, error: MlqError) -> None:
        """The queue did not answer; leave it alone for a moment, and begin with a renewal then."""
        self._queue.failed(error, self._now_s())
        self._renew_due_s = 0.0

    # --- look -----------------------------------------------------------------------------------

    def look(self, mode: Mode) -> Facts:
        """Return the facts of this turn."""
        now_s = self._now_s()
        if mode is not self._mode:
            self._mode, self._renew_due_s = mode, 0.0  # all are shown at once what it is up to
        self._nfs.update(self._attempts)
        self._absences.see(self._attempts.ended(), now_s)
        if self._absences.is_new:
            self._renew_due_s = 0.0
        living = self._attempts.active()
        self._monitor.look(
            now_s,
            self._context.own_pids(self.session.link),
            [one.leader_pid for one in living if one.leader_pid],
            for_gpus=any(".g0." not in head.class_name for head in self._backlog.heads),
        )
        return Facts(
            now_s=now_s,
            mode=mode,
            linked=self.session.link is not None,
            link_retry_s=self._link_retry_s,
            queue_retry_s=self._queue.retry_s,
            renew_due_s=self._renew_due_s if not self._is_answered else 0.0,
            moves=tuple(self._refused.due([*self._moves, *self._endings()])),
            plan=None
            if self._note(now_s)
            else self._conduct.allowed(self._planned(now_s), len(living), now_s),
            peek_due_s=self._backlog.due_s,
            living=tuple(one.attempt for one in living),
            stoppable=tuple(one.attempt for one in living if not one.stopping),
            stuck=self._attempts.stuck(now_s),
            unwanted=self._conduct.unwanted(living),
            evidence=self._reaper.has_evidence,
        )

    def _planned(self, now_s: float) -> Plan | None:
        words = self._absences.words
        return self._backlog.plan(self._offer(), self._attempts, now_s, self._utc_s(), words)

    @property
    def _is_answered(self) -> bool:
        """Whether NFS has answered a question of the last renewal."""
        return self._nfs.has_orphans or self._queue.numbers_known or self._conduct.is_due

    def _note(self, now_s: float) -> str:
        """Why no jobs are to be taken now; "" if they may be."""
        return self.session.note(now_s) or self._queue.note

    @property
    def _attempts(self) -> AttemptTable:
        return self.session.attempts

    def _endings(self) -> list[Move]:
        patience = Patience.of(self._settings)
        return [
            ending(one.result, one.history, patience, self._absences.nowhere(one))._replace(
                signature=one.signature
            )
            for one in self._attempts.ended()
            if one.result is not None and self._absences.is_judged(one)
        ]

    def _offer(self) -> Offer:
        return self._monitor.offer(self._attempts.promises())

    # --- act ------------------------------------------------------------------------------------

    def act(self, action: Action) -> bool:
        """Carry one action out; returns whether the worker is to leave."""
        try:
            match action:
                case Adopt():
                    self._adopt()
                case Renew():
                    self._renew()
                case ApplyVerdicts():
                    self._reaper.judge(self._utc_s())
                case Reserve(job_id):
                    self._store.reserve_machine(
                        job_id, self._settings.machine, 3 * self._settings.beat_s
                    )
                case CommitAndClaim():
                    self._settle(action)
                case Stop(attempts, outcome, reason):
                    self.session.stop(attempts, outcome, reason)
                case Exit():
                    self._leave()
                    return True
        except (QueueUnreachableError, QueueRefusedError) as error:
            if self._is_displaced:
                raise
            self.queue_failed(error)
        except SupervisorError as error:
            log.error("%s", error)
            self._link_retry_s = self._now_s() + _RETRY_S
        return False

    def _adopt(self) -> None:
        link = self._context.reach_supervisor()
        hello = link.hello
        rows = self._store.rows(("status", "origin"), [held["id"] for held in hello["attempts"]])
        classes = {row[0]: row[2] for row in rows}
        past = histories(self._store, list(classes))
        now_s = self._now_s()
        self.session.adopt(
            link,
            [
                adopted(
                    held,
                    classes.get(held["id"], ""),
                    past.get(held["id"], History()),
                    self._settings,
                    now_s,
                    self._utc_s(),
                )
                for held in hello["attempts"]
            ],
        )
        self._renew_due_s = 0.0
        self._backlog.call()

    def _renew(self) -> None:
        sent_s, now_s = self._now_s(), self._utc_s()
        living = self._attempts.active()
        # What has ended, too: a queue that has forgotten it takes it back, and then its result.
        held = [
            (*one.attempt, one.progress, one.result is not None, one.signature)
            for one in self._attempts.by_key.values()
        ]
        renewal = self._store.renew(
            self._settings.machine,
            held,
            self._settings.lease_s,
            now_s,
            self._context.boot_id,
            self.session.supervisor_id,
        )
        self.session.confirm(renewal, sent_s)
        self._queue.renewed(renewal, self._store)
        off_s = offset_s(now_s, self._now_s() - sent_s, renewal.server_s)
        self._clock_off_s = self._clock_off_s if off_s is None else round(off_s, 1)
        if renewal.holder is not None:
            self._displaced(renewal.holder)
        for attempt, reason in renewal.stop.items():
            local = self._attempts.by_key[attempt]
            local.history = replace(local.history, stop=reason)
            if not local.stopping:
                self.session.stop([attempt], "canceled", "canceled")
        if not self._renewed:
            self._conduct.restore(self._store.machines(), sent_s)
        note = _NOTES.get(self._mode) or self._note(sent_s) or self._conduct.probation.note()
        self._show_presence(now_s, note)
        if self._absences.words:
            self._absences.compare(self._store.machines(), self._settings.lease_s)
        self._conduct.lasted(living, sent_s)
        self._conduct.look(now_s)
        self._square()
        self._reaper.look(now_s)
        self._copying.look()
        self._nfs.ask_progress([one.attempt for one in living])
        self._renew_due_s = sent_s + self._settings.beat_s
        self._renewed = True

    def _displaced(self, holder: NameHolder) -> None:
        """Another worker was given the machine's name: what ran here was given up for dead.

        Nothing is started; what still runs is paused until the queue has judged it.

        Raises:
            MachineNameError: always; with nothing left to hold the worker leaves.
        """
        refusal = holder.refusal()
        if not self._attempts.active():
            self.session.forget(list(self._attempts.by_key))
            self.session.leave()
            self._is_displaced = True
        raise refusal

    def _square(self) -> None:
        """Find what the queue thinks is here and is not, and settle it once NFS was asked."""
        orphans, results = self._nfs.take_orphans(self._attempts.by_key)
        if orphans:
            past = histories(self._store, [one.id for one in orphans])
            self._moves += orphan_moves(
                orphans,
                results,
                past,
                Here(self._settings, self._context.boot_id, self.session.supervisor_id),
                self._utc_s(),
            )
        known = {*self._attempts.by_key, *((move.id, move.attempt) for move in self._moves)}
        held = self._store.held(self._settings.machine)
        self._nfs.ask_orphans([one for one in held if one.key not in known])

    def _settle(self, settle: CommitAndClaim) -> None:
        fits, now_s, settings = settle.fits, self._utc_s(), self._settings
        who = Claimant(settings.machine, self._context.boot_id, self.session.supervisor_id)
        known = put_back(self._attempts, self._store, who, now_s)
        moves = [move for move in settle.moves if (move.id, move.attempt) not in known]
        operations: list[Operation] = []
        if moves:
            operations.append(move_operation(moves, now_s, settings.courtesy_s))
        if fits:
            lease_s, only = settings.lease_s, settle.only
            names, default = [name for name, _ in fits], settings.default_mem_mib
            lacks = self._absences.to_leave(names, default)
            operations.append(claim_operation(fits, who, lease_s, now_s, only, lacks))
        operations.append(Operation("peek", {}, request_id=""))
        ordered_s = self._now_s()
        replies = self._store.run_on_disk(*operations)
        keys, held = [(move.id, move.attempt) for move in moves], self._attempts.by_key
        ended = [held[one] for one in keys if one in held]
        if settle.moves:
            refused = Moved.from_reply(replies[0]).refused if moves else ()
            self._committed(settle.moves, refused)
        if moves and replies[0]["untold"]:
            self._store.tell(now_s, TOLD_SLICES)
        claimed = replies[-2]["claims"] if fits else ()
        self._backlog.show(
            Waiting.from_reply(replies[-1]), ordered_s, in_vain=bool(fits) and not claimed
        )
        self._launch([Claim.from_reply(raw) for raw in claimed or ()], ordered_s)
        self._conduct.ended(ended, ordered_s)

    def _committed(self, moves: tuple[Move, ...], refused: Collection[Refusal]) -> None:
        self._refused.sent(moves, refused)
        keys = {one.key for one in refused}
        done = [key for move in moves if (key := (move.id, move.attempt)) not in keys]
        self._drop_moves(set(done))
        self._backlog.freed()
        self.session.forget(done)

    def _drop_moves(self, of: Collection[Attempt]) -> None:
        self._moves = [move for move in self._moves if (move.id, move.attempt) not in of]

    def _launch(self, claims: list[Claim], ordered_s: float) -> None:
        # Told of an attempt of this number before, it was of one that the queue has forgotten.
        self._drop_moves({(claim.id, claim.attempt) for claim in claims})
        orders, refused = self._admission.take(claims, self._offer(), self._attempts, ordered_s)
        self._moves += refused
        self.session.start(orders, ordered_s)

    def _leave(self) -> None:
        holds_nothing = not self._attempts.by_key
        self.session.leave()
        self._show_presence(self._utc_s(), "the worker was stopped")
        if holds_nothing:
            with suppress(QueueUnreachableError, QueueRefusedError):
                self._store.release_name(self._context.identity)

    def _trouble(self) -> str:
        found = (self._queue.unwell, self.session.unwell(), self._refused.words())
        return "; ".join(one for one in found if one)

    def _show_presence(self, now_s: float, note: str) -> None:
        health = WorkerHealth(
            self.session.supervisor_id,
            self._started_s,
            note,
            self._trouble(),
            self._context.tunnel,
            self._absences.as_json(),
            self._refused.words(),
            self._conduct.probation.as_json(),
            self._clock_off_s,
        )
        record = machine_record(self._monitor.report, self._offer(), self._attempts, health)
        running = bool(self._attempts.active())
        worker = rq_worker(self._settings.machine, running, self._started_s, now_s)
        try:
            ttl_s = self._settings.forget_machines_days * 86400
            self._store.record_machine(self._settings.machine, record, worker, ttl_s)
        except (QueueUnreachableError, QueueRefusedError) as error:
            self.queue_failed(error)
