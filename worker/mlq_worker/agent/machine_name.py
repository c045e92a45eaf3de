"""How a worker takes its machine's name before it does anything in that name.

See `mlq.store.machine_names` for what the name is, and `mlq_worker.liveness.names` for when a
worker may take it. A background thread looks at the results root, since it may hang.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

from mlq.errors import MachineNameError
from mlq.store.machine_names import NameHolder
from mlq.store.refused_names import note_refused_name
from mlq.store.store import Store
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.nfs import read_beats
from mlq_worker.liveness.names import BeatLook, NameWatch
from mlq_worker.liveness.verdicts import Beat, Garbled

_FIRST_LOOK_S = 1.0


class Refusal(NamedTuple):
    """Why the name is not ours yet.

    Args:
        error: the error to show the user.
        for_sure: whether the holder was heard lately, so that a short wait will not help.
        again_s: when to try again.
    """

    error: MachineNameError
    for_sure: bool
    again_s: float


class Waits(Protocol):
    """What the worker waits with."""

    @property
    def stop_requested(self) -> bool:
        """Whether the worker was told to end."""

    def ring(self) -> None:
        """Wake the thread that waits."""

    def wait(self, timeout_s: float) -> None:
        """Wait until it rings, for `timeout_s` at most."""


class MachineName:
    """The name of this machine, ours or not yet.

    Args:
        context: this machine.
        store: the queue, as a worker that has no name yet reaches it.
        ring: called when NFS has answered.
    """

    def __init__(self, context: MachineContext, store: Store, ring: Callable[[], None]) -> None:
        self._context, self._store, self._me = context, store, context.identity
        times = context.settings
        self._beat_s, self._lease_s = times.beat_s, times.lease_s
        self._watch = NameWatch(self._me, times.lease_s, times.dead_s, 3 * times.beat_s)
        self._reader: BackgroundReader[BeatLook] = context.new_reader("name", ring)
        self._clock = context.clocks.monotonic_s
        self._look: BeatLook | None = None
        self._asked_at_s = float("-inf")
        self._noted = False

    def take(self) -> Refusal | None:
        """Take the name if the worker may; return why it must not, None once the name is ours."""
        self._look = self._reader.answer() or self._look
        asked_s = self._clock()
        if asked_s - self._asked_at_s >= self._beat_s / 2 and self._reader.ask(self._read):
            self._asked_at_s = asked_s
        holder = self._store.roles.name_holder(self._context.machine)
        look = self._look or BeatLook(asked_s, None, "no answer yet")
        if self._watch.may_take(holder, look, asked_s, self._clock(), self._context.is_alive):
            holder = self._store.roles.hold_name(self._me, holder)
            if holder.who.worker == self._me.worker:
                return None
        return self._refusal(holder, look)

    @property
    def dead_beat(self) -> str:
        """The beat on the results root that belongs to no supervisor any more (`BeatGuard`)."""
        beat = self._look.beat if self._look is not None else None
        return f"{beat.supervisor_id}:{beat.counter}" if isinstance(beat, Beat) else ""

    def _read(self) -> BeatLook:
        context = self._context
        machine = context.machine
        look = read_beats(context.layout, (machine,), self._clock, context.files)
        if machine not in look.beats:
            return BeatLook(look.at_s, None, look.unreadable or "the beat cannot be read")
        return BeatLook(look.at_s, look.beats[machine])

    def _refusal(self, holder: NameHolder | None, look: BeatLook) -> Refusal:
        again_s = _FIRST_LOOK_S if self._look is None else self._beat_s / 2
        if holder is not None and not holder.left:
            error, for_sure = holder.refusal(), holder.age_s < self._lease_s
            if for_sure and not self._noted:
                note_refused_name(self._store, self._me)
                self._noted = True
            return Refusal(error, for_sure, again_s)
        machine = self._context.machine
        if isinstance(look.beat, Garbled):
            why = "what lies on the results root as its beat is none"
        elif look.beat is not None:
            why = f"host {look.beat.host} beats in its name, or did until lately"
        else:
            why = f"the results root does not tell: {look.unreadable}"
        error = MachineNameError(f"it is not known who has the machine name {machine}", why=why)
        return Refusal(error, for_sure=False, again_s=again_s)


def own_name(
    context: MachineContext,
    store: Store,
    waits: Waits,
    tell: Callable[[str], None],
    *,
    keep_trying: bool,
) -> MachineContext:
    """Wait until this machine's name is ours; return the context with what was found meanwhile.

    Args:
        context: this machine.
        store: the queue, as a worker that has no name yet reaches it.
        waits: what to wait with.
        tell: is told, in one line, what the worker waits for.
        keep_trying: whether to wait even for a holder that lives.

    Raises:
        MachineNameError: another worker holds it; or the worker was told to leave meanwhile.
    """
    name = MachineName(context, store, waits.ring)
    began_s = time.monotonic()
    while (refusal := name.take()) is not None:
        if waits.stop_requested or (refusal.for_sure and not keep_trying):
            raise refusal.error
        if time.monotonic() - began_s > _FIRST_LOOK_S:
            tell(str(refusal.error))
        waits.wait(refusal.again_s)
    return replace(context, dead_beat=name.dead_beat)
