"""Decides, from two channels, whether an attempt is dead: pure.

The queue says which leases have run out. That alone does not mean death: the tunnel may be cut
while the machine and the job are well, or the clock of the queue's host was set. The machine's beat
on NFS is the second channel. An attempt is dead only if its lease has expired AND

* the machine has booted since (a beat that goes on under a new boot id ends everything before at
  once), or
* another supervisor runs there (its beat goes on; a supervisor kills what an earlier one left
  before its first beat), or
* the beat has not changed for `dead_s` on the reaper's own monotonic clock, or
* the beat goes on and, for `dead_s`, did not name the attempt (it was claimed but never started).

The last two are said of a machine that may only be out of touch. There a lease has expired only if
it was not renewed for `lease_s` on the reaper's clock, too.

"Goes on" means that this reaper saw it change. A beat that does not change may be older than the
attempt, left by the previous boot while the first beat of the new one hangs in NFS.

Clocks of two machines are never compared. A reaper that cannot read NFS, or has not looked
regularly, gives no verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from mlq.store.replies import Attempt, HeldAttempt


@dataclass(frozen=True, slots=True)
class Beat:
    """What a machine's beat file says: its last sign of life."""

    boot_id: str
    supervisor_id: str
    counter: int
    attempts: frozenset[Attempt]
    paused: int = 0
    worker: bool = True
    host_id: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Garbled:
    """Content of a beat file that is no beat; `shown` differs when it has changed.

    A job may have put it there, or a supervisor of another version wrote it. As long as it changes
    something lives there; of which attempts, it does not say.
    """

    shown: str


@dataclass(frozen=True, slots=True)
class BeatSnapshot:
    """One look at NFS by the reaper.

    Args:
        at_s: the reaper's monotonic clock.
        beats: the beat of each machine asked about; None if it has no beat file.
        unreadable: why nothing could be read, or "".
    """

    at_s: float
    beats: Mapping[str, Beat | Garbled | None]
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class _Watch:
    """What something showed, since when, when last, and since when it is watched without a gap."""

    shown: object
    since_s: float
    seen_s: float
    began_s: float


class Leases:
    """Remembers since when each lease has not been renewed, by the reaper's own clock.

    A lease that shows the same end twice was not renewed between, however long it was not looked
    at.

    Args:
        lease_s: how long a lease lasts.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._since: dict[Attempt, tuple[str, float]] = {}

    def lapsed(
        self, attempts: Collection[HeldAttempt], asked_s: float, answered_s: float
    ) -> frozenset[Attempt]:
        """Return those of the attempts that were not renewed for `lease_s`.

        Args:
            attempts: all whose lease was not renewed lately.
            asked_s: when the queue was asked, at the latest.
            answered_s: when it had answered.
        """
        before = self._since
        self._since = {}
        for one in attempts:
            lease, since_s = before.get(one.key, ("", answered_s))
            self._since[one.key] = (one.lease, since_s if lease == one.lease else answered_s)
        ended_s = asked_s - self._lease_s
        return frozenset(key for key, (_, since_s) in self._since.items() if since_s <= ended_s)


class BeatMonitor:
    """Remembers since when each beat has not changed, by looks without gaps.

    Args:
        dead_s: how long an unchanged beat means death.
        gap_s: looks farther apart than this prove nothing about the time between them: the
            reaper itself may have been frozen or cut off. The watch begins anew.
    """

    def __init__(self, dead_s: float, gap_s: float) -> None:
        self._dead_s, self._gap_s = dead_s, gap_s
        self._machines: dict[str, _Watch] = {}
        self._absences: dict[Attempt, _Watch] = {}
        self._first: dict[Attempt, Beat | Garbled | None] = {}

    def verdicts(
        self, look: BeatSnapshot, expired: list[HeldAttempt], lapsed: Collection[Attempt]
    ) -> dict[Attempt, str]:
        """Return the attempts that are dead, each with the reason.

        Args:
            look: a look at the beats of the machines that hold attempts. They are watched from the
                first look on, so that a lease that runs out later finds the beat already judged.
            expired: attempts whose lease has run out by one clock or another.
            lapsed: those of them whose lease has run out by the reaper's own (`Leases`).
        """
        if look.unreadable:
            return {}
        for machine, beat in look.beats.items():
            self._machines[machine] = self._seen(self._machines.get(machine), beat, look.at_s)
        dead = {}
        for attempt in expired:
            if attempt.machine in look.beats:
                why = self._end(attempt, look.beats[attempt.machine])
                silence = self._silence(attempt, look.beats[attempt.machine], look.at_s)
                if attempt.key in lapsed:
                    why = why or silence
                if why:
                    dead[attempt.key] = why
        named = {attempt.key for attempt in expired}
        self._absences = {key: one for key, one in self._absences.items() if key in named}
        self._first = {key: one for key, one in self._first.items() if key in named}
        return dead

    def silence_s(self, machine: str, at_s: float) -> float:
        """Return for how many seconds the beat of a watched machine has not changed."""
        watch = self._machines.get(machine)
        return at_s - watch.since_s if watch else 0.0

    def _end(self, attempt: HeldAttempt, beat: Beat | Garbled | None) -> str:
        """Return the reason if the attempt has surely ended, by its beat alone; "" if not."""
        watch = self._machines[attempt.machine]
        if watch.began_s == watch.seen_s:
            self._first[attempt.key] = beat
        if isinstance(self._first.setdefault(attempt.key, beat), Garbled):
            # It cannot be told of what came after it whether it was written since.
            self._first[attempt.key] = beat
        if not isinstance(beat, Beat) or not self._is_stranger(attempt, beat):
            return ""
        if beat.boot_id != attempt.boot_id:
            return f"machine {attempt.machine} rebooted"
        return f"the supervisor on {attempt.machine} was restarted"

    def _silence(self, attempt: HeldAttempt, beat: Beat | Garbled | None, at_s: float) -> str:
        """Return the reason if the silence is so long that the attempt has stopped; "" if not."""
        machine = attempt.machine
        watch = self._machines[machine]
        if at_s - watch.since_s >= self._dead_s:
            return f"machine {machine} went silent"
        if not isinstance(beat, Beat) or attempt.key in beat.attempts:
            self._absences.pop(attempt.key, None)
            return ""
        self._absences[attempt.key] = self._seen(self._absences.get(attempt.key), True, at_s)
        if at_s - self._absences[attempt.key].since_s >= self._dead_s:
            return f"machine {machine} never started it"
        return ""

    def _is_stranger(self, attempt: HeldAttempt, beat: Beat) -> bool:
        """Return whether the beat is that of another boot or supervisor, and moved since the lapse.

        A beat that only stands there may be the last of an earlier boot: the attempt may be the
        later one, whose own beat is not to be seen yet.
        """
        own = (beat.boot_id, beat.supervisor_id) == (attempt.boot_id, attempt.supervisor_id)
        return not own and self._first.get(attempt.key, beat) != beat

    def _seen(self, watch: _Watch | None, shown: object, at_s: float) -> _Watch:
        if watch is None or at_s - watch.seen_s > self._gap_s:
            return _Watch(shown, at_s, at_s, at_s)
        if watch.shown != shown:
            return replace(watch, shown=shown, since_s=at_s, seen_s=at_s)
        return replace(watch, seen_s=at_s)
