"""Has jobs pause, and then handed back, while anybody has switched mlq off on this machine.

How long a switch holds is judged by the wall clock when it is first seen, and then lasts in boot
time. A clock that jumps later can make it last longer, never shorter: who wants the machine for
themselves comes before the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlq.units import parse_iso
from mlq_worker.guest import off_file
from mlq_worker.guest.off_file import Content, OffFile
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import Demand, End, GuestAttempt, Pause, Seen
from mlq_worker.ipc.clock import Moment

HAND_BACK_S = 60.0
_ROOT = 0
_STEADY_S = 45.0  # what is shown follows larger changes only; more than rounding makes
_MINUTE_S = 60


@dataclass(slots=True)
class _Switch:
    """A file that has been judged.

    Args:
        file: as it was seen.
        content: what it said.
        ends_at: until when it holds, boot time.
        was_future: whether its time lay in the future, and so counted as now.
        shown_until: the unix time that is shown.
    """

    file: OffFile
    content: Content
    ends_at: float
    was_future: bool
    shown_until: float


class OffWatch:
    """Looks at the switches.

    Args:
        machine: the machine's name.
        own_uid: our user; in the mode `mine` only their switch and root's hold.
        name: returns a user's login name without waiting.
        folder: where the files are.
    """

    def __init__(
        self,
        machine: str,
        own_uid: int,
        name: Callable[[int], str],
        folder: str = str(off_file.FOLDER),
    ) -> None:
        self._machine, self._own_uid, self._name, self._folder = machine, own_uid, name, folder
        self._switches: dict[str, _Switch] = {}
        self._off_since: float | None = None

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Demand that jobs pause while it is off, and that they are handed back after a minute."""
        self._judge(now.at, parse_iso(now.utc))
        # An allocation is its user's own, like a machine in the mode `mine`.
        is_own = rules.guest == "mine" or rules.is_granted
        allowed = (_ROOT, self._own_uid) if is_own else None
        holding = [
            one
            for one in self._switches.values()
            if now.at < one.ends_at and (allowed is None or one.file.uid in allowed)
        ]
        if not holding:
            self._off_since = None
            return Seen()
        if self._off_since is None or self._off_since > now.at:
            self._off_since = now.at
        longest = max(holding, key=lambda one: one.ends_at)
        return self._seen(attempts, longest, is_over=now.at - self._off_since >= HAND_BACK_S)

    def _seen(self, attempts: Sequence[GuestAttempt], switch: _Switch, *, is_over: bool) -> Seen:
        who = "somebody" if switch.file.uid < 0 else self._name(switch.file.uid)
        words = f"off by {who} until {datetime.fromtimestamp(switch.shown_until):%H:%M}"
        said = f"{words}: {switch.content.why}" if switch.content.why else words
        reason = f"handed back: {who} has switched mlq off on {self._machine}"
        demand = Demand((Pause("off", words),), end=End("released", reason) if is_over else None)
        demands = {one.id: demand for one in attempts if not one.is_ending}
        return Seen(demands, notes=(said,), closed=said)

    def _judge(self, at: float, unix_s: float) -> None:
        known, self._switches = self._switches, {}
        for file in off_file.look(self._folder):
            switch = known.get(file.name)
            if switch is None or switch.file.identity != file.identity:
                switch = self._new(file, at, unix_s)
            elif not switch.was_future and file.touched <= unix_s:
                left_s = off_file.left_s(file, switch.content, unix_s)
                switch.ends_at = max(switch.ends_at, at + left_s)
            until = unix_s + switch.ends_at - at
            if abs(until - switch.shown_until) > _STEADY_S:
                switch.shown_until = _minute(until)
            self._switches[file.name] = switch

    def _new(self, file: OffFile, at: float, unix_s: float) -> _Switch:
        content = off_file.read(self._folder, file)
        left_s = off_file.left_s(file, content, unix_s)
        return _Switch(file, content, at + left_s, file.touched > unix_s, _minute(unix_s + left_s))


def _minute(unix_s: float) -> float:
    return round(unix_s / _MINUTE_S) * _MINUTE_S
