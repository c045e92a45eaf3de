"""What the worker does without the queue: one short function for each action; none decides.

These act on the supervisor, on NFS and the collector (in the background) and on the worker's own
memory. Those that
act on the queue are in `queue_effects`.
"""

from __future__ import annotations

import logging
from functools import singledispatchmethod

from mlq_worker.agent.actions import (
    AvoidQueue,
    Confirm,
    HangUp,
    LocalAction,
    PassSignalsOn,
    Propose,
    ReadLargestNumber,
    ReadOrphans,
    ReadProgress,
    RecordStalled,
    RecordStopRequests,
    Resign,
    SettleOrphans,
    Start,
    Stop,
)
from mlq_worker.agent.collecting import Collect
from mlq_worker.agent.conduct import EndProbation, SetAside
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copying import GiveCopyingUp, MakeCopy
from mlq_worker.agent.memory import Memory
from mlq_worker.agent.reaper import WatchBeats

log = logging.getLogger(__name__)


class Effects:
    """Carries out actions that need no queue.

    Args:
        memory: the worker's memory.
        context: this machine.
    """

    def __init__(self, memory: Memory, context: MachineContext) -> None:
        self._memory, self._session, self._reads = memory, memory.session, memory.reads
        self._clock = context.clocks.boot_s

    @singledispatchmethod
    def act(self, action: LocalAction) -> None:
        """Carry one action out.

        Raises:
            MachineNameError: the worker resigns.
        """
        raise NotImplementedError(action)

    @act.register
    def _confirm(self, action: Confirm) -> None:
        self._session.confirm(action.renewal, action.sent_s)

    @act.register
    def _record_stop_requests(self, action: RecordStopRequests) -> None:
        self._memory.attempts.request_stops(action.stops, action.requeues)

    @act.register
    def _pass_signals_on(self, action: PassSignalsOn) -> None:
        self._session.signal(action.signals)

    @act.register
    def _stop(self, action: Stop) -> None:
        self._session.stop(action.attempts, action.outcome, action.reason, action.shortage)

    @act.register
    def _record_stalled(self, action: RecordStalled) -> None:
        self._memory.attempts.prefetch.learn_stalled(action.class_name, action.waited_s)

    @act.register
    def _start(self, action: Start) -> None:
        self._session.start(action.admitted, action.claimed_s)

    @act.register
    def _propose(self, action: Propose) -> None:
        self._memory.pending += action.moves

    @act.register
    def _settle_orphans(self, action: SettleOrphans) -> None:
        self._memory.pending += action.moves
        self._reads.drop_orphans()

    @act.register
    def _read_orphans(self, action: ReadOrphans) -> None:
        self._reads.ask_orphans(action.orphans)

    @act.register
    def _read_progress(self, action: ReadProgress) -> None:
        self._reads.ask_progress(action.attempts)

    @act.register
    def _read_largest_number(self, _action: ReadLargestNumber) -> None:
        self._memory.queue.ask_largest_number()

    @act.register
    def _collect(self, action: Collect) -> None:
        self._memory.collector.ask(action, self._memory.attempts)

    @act.register
    def _watch_beats(self, action: WatchBeats) -> None:
        self._memory.reaper.watch(action)

    @act.register
    def _make_copy(self, _action: MakeCopy) -> None:
        self._memory.copier.make()

    @act.register
    def _give_copying_up(self, action: GiveCopyingUp) -> None:
        self._memory.copier.give_up(action.trouble)

    @act.register
    def _set_aside(self, action: SetAside) -> None:
        self._memory.conduct.probation.begin(action.reason, self._clock())
        log.warning("%s", self._memory.conduct.probation.note())

    @act.register
    def _end_probation(self, _action: EndProbation) -> None:
        self._memory.conduct.probation.end()

    @act.register
    def _avoid_queue(self, action: AvoidQueue) -> None:
        self._memory.queue_failed(action.error)

    @act.register
    def _resign(self, action: Resign) -> None:
        self._session.forget(list(self._memory.attempts.by_key))
        self._session.hang_up()
        raise action.error

    @act.register
    def _hang_up(self, _action: HangUp) -> None:
        self._session.hang_up()
