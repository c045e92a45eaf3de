"""Decides whether this worker may take its machine's name. Pure.

A name that another worker holds is free for this one

* at once, if that worker was of this host: it has died, or the host has booted since. What its
  supervisor runs is taken over with the name;
* otherwise when it is dead by both channels, as an attempt is (`verdicts`): the queue has not heard
  it for `lease_s` and the beat of the machine has not changed for `dead_s`, both by this worker's
  own clock. Its attempts were paused before that.

A queue that knows of no holder may have forgotten one. So a beat that another host wrote counts in
any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlq.store.machine_names import NameHolder, WorkerIdentity
from mlq_worker.liveness.verdicts import Beat, Garbled


@dataclass(frozen=True, slots=True)
class BeatLook:
    """One look at the machine's beat, by a clock that only counts; None: there is none."""

    at_s: float
    beat: Beat | Garbled | None
    unreadable: str = ""


class NameWatch:
    """Remembers since when nothing was heard of another that may have the name.

    Args:
        me: this worker.
        lease_s: after how long without a word a worker holds no lease any more.
        dead_s: after how long without a change a beat is silent.
        gap_s: looks farther apart than this prove nothing about the time between them.
    """

    def __init__(self, me: WorkerIdentity, lease_s: float, dead_s: float, gap_s: float) -> None:
        self._me, self._lease_s, self._dead_s, self._gap_s = me, lease_s, dead_s, gap_s
        self._shown: tuple[Beat | Garbled | None, float, float] | None = None
        self._heard: tuple[str, float] = ("", 0.0)

    def may_take(
        self,
        holder: NameHolder | None,
        look: BeatLook,
        asked_s: float,
        answered_s: float,
        is_alive: Callable[[WorkerIdentity], bool],
    ) -> bool:
        """Return whether the name may be taken.

        Args:
            holder: who has it, as the queue says.
            look: the last look at the machine's beat.
            asked_s: when the queue was asked, by the clock of the looks.
            answered_s: when it had answered.
            is_alive: returns whether a process of this host and boot lives.
        """
        silent_s = self._silence_s(look)
        unheard_s = self._unheard_s(holder, asked_s, answered_s)
        if holder is None or holder.left:
            return not look.unreadable and (
                not self._is_foreign(look.beat, holder) or silent_s >= self._dead_s
            )
        who = holder.who
        if who.worker == self._me.worker:
            return True
        if who.host_id == self._me.host_id:
            if who.boot_id != self._me.boot_id:
                return True
            if who.pid_ns == self._me.pid_ns:
                return not is_alive(who)
        return not look.unreadable and unheard_s >= self._lease_s and silent_s >= self._dead_s

    def _is_foreign(self, beat: Beat | Garbled | None, left: NameHolder | None) -> bool:
        ours = {"", self._me.host_id, left.who.host_id if left is not None else ""}
        return isinstance(beat, Garbled) or (beat is not None and beat.host_id not in ours)

    def _silence_s(self, look: BeatLook) -> float:
        if look.unreadable:
            return 0.0
        before = self._shown
        since_s = look.at_s
        if before is not None and before[0] == look.beat and look.at_s - before[2] <= self._gap_s:
            since_s = before[1]
        self._shown = (look.beat, since_s, look.at_s)
        return look.at_s - since_s

    def _unheard_s(self, holder: NameHolder | None, asked_s: float, answered_s: float) -> float:
        # A text that shows twice was not renewed between, however long it was not looked at.
        renewed = holder.who.worker + holder.renewed if holder is not None else ""
        text, since_s = self._heard
        if text != renewed:
            self._heard = (renewed, answered_s)
            return 0.0
        return asked_s - since_s
