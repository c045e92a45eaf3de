"""The worker's turn: look, decide, say to the other users of the machine what it will hold, act.

What it says comes before anything is sent to the queue: it is said while no other worker on the
machine plans (`neighbourhood`), and the network may take long.

If the queue fails in the middle of a turn, the rest of the turn leaves out what needs it. The next
look sees that the queue is away, so the worker does not wait for it again and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from mlq.errors import MlqError, QueueRefusedError, QueueUnreachableError, SupervisorError
from mlq.store.store import Store
from mlq_worker.agent.actions import Action, Exit, QueueAction
from mlq_worker.agent.boarding import board_after
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.decide import decide, next_turn_s
from mlq_worker.agent.effects import Effects
from mlq_worker.agent.facts import Facts, Mode
from mlq_worker.agent.look import look
from mlq_worker.agent.memory import Memory
from mlq_worker.agent.queue_effects import QueueEffects
from mlq_worker.agent.supervisor_session import SupervisorSession

log = logging.getLogger(__name__)

IDLE_S = 60.0
_LINK_RETRY_S = 1.0


class Turn(NamedTuple):
    """What a turn did, and whether the worker must leave."""

    facts: Facts
    actions: list[Action]

    @property
    def leaves(self) -> bool:
        """Whether the worker must leave."""
        return Exit() in self.actions

    @property
    def wait_s(self) -> float:
        """How many seconds the worker may wait before its next turn if nothing wakes it."""
        return 0.0 if self.actions else next_turn_s(self.facts, IDLE_S)


class Worker:
    """Takes turns.

    Args:
        context: this machine and everything that belongs to it.
        store: the queue.
        ring: wakes the loop; may be called from any thread.
        idle_s: see `WorkerOptions`.
    """

    def __init__(
        self,
        context: MachineContext,
        store: Store,
        ring: Callable[[], None],
        idle_s: float | None = None,
    ) -> None:
        self._context, self._clock = context, context.clocks.boot_s
        self._memory = Memory(context, store, ring, idle_s)
        self._effects = Effects(self._memory, context)
        self._queue_effects = QueueEffects(self._memory, context, store)

    def turn(self, mode: Mode) -> Turn:
        """Take one turn.

        Raises:
            MachineNameError: another worker was given the machine's name, and nothing runs here.
        """
        facts = look(self._memory, self._context, mode)
        actions = decide(facts)
        self._memory.neighbourhood.show(board_after(facts, actions), facts.now_s)
        queue_answers = True
        for action in actions:
            if not isinstance(action, QueueAction):
                if not isinstance(action, Exit):
                    self._effects.act(action)
            elif queue_answers:
                queue_answers = self._try(action)
        turn = Turn(facts, actions)
        if turn.leaves:
            self._memory.neighbourhood.leave()
        return turn

    def _try(self, action: QueueAction) -> bool:
        try:
            self._queue_effects.act(action)
        except (QueueUnreachableError, QueueRefusedError) as error:
            self._memory.queue_failed(error)
            return False
        except SupervisorError as error:
            log.error("%s", error)
            self._memory.link_retry_s = self._clock() + _LINK_RETRY_S
        return True

    # --- what the loop asks and tells -----------------------------------------------------------

    @property
    def session(self) -> SupervisorSession:
        """The connection to the supervisor, to listen to."""
        return self._memory.session

    @property
    def queue_is_down(self) -> bool:
        """Whether the queue did not answer last time, and it is too early to ask again."""
        return self._clock() < self._memory.queue.retry_s

    @property
    def is_settled(self) -> bool:
        """Whether the first turns' work is done: the worker works, and the queue knows it."""
        return self.session.link is not None and self._memory.shown_mode is not None

    def summary(self) -> str:
        """Return in one line what this machine offers."""
        memory = self._memory
        parts = (
            memory.session.summary(memory.offer()),
            memory.monitor.gpus_in_words(),
            memory.session.unwell(),
            memory.queue.unwell,
            memory.neighbourhood.unwell(),
        )
        return "; ".join(filter(None, parts))

    def woken(self, messages: set[str]) -> None:
        """Note that the queue woke the worker: there is work, or a user wants a job stopped."""
        if "work" in messages:
            self._memory.backlog.call()
        if "stop" in messages:
            self._memory.renew_due_s = 0.0

    def queue_failed(self, error: MlqError) -> None:
        """Note that the queue did not answer the loop."""
        self._memory.queue_failed(error)
