"""Watches the desk: looks, folds the looks into what is known, and asks the manners what follows.

In the mode `mine` and in an allocation nobody looks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mlq_worker.guest.asker import Asker
from mlq_worker.guest.desk.desk import Desk, DeskLook, DeskState
from mlq_worker.guest.desk.displays import Displays, find_displays
from mlq_worker.guest.desk.manners import DeskManners, Surroundings
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.saved import Saved
from mlq_worker.guest.watch import GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment

_ROOTS = ("/proc", "/sys")
_DISPLAYS_EVERY_S = 60.0


class DeskEdges(NamedTuple):
    """What the watch touches.

    Args:
        look: looks at the desk, at a boot time.
        saved: knows what attempts have saved.
        available_mib: returns how much main memory is available.
        displays: finds out which GPUs drive a display; it may hang.
        cores: how many cores are ours.
    """

    look: Callable[[float], DeskLook]
    saved: Saved
    available_mib: Callable[[], int]
    displays: Asker[tuple[str, str], Displays]
    cores: int


def real_edges(look: Callable[[float], DeskLook], saved: Saved) -> DeskEdges:
    """Return those of this machine."""
    cores = len(os.sched_getaffinity(0))
    return DeskEdges(look, saved, available_mib, Asker(find_displays), cores)


class DeskWatch:
    """Looks once a second.

    Args:
        machine: the machine's name.
        own_uid: the user whose jobs run here.
        edges: what it touches.

    Attributes:
        state: what is known of the desk.
    """

    def __init__(self, machine: str, own_uid: int, edges: DeskEdges) -> None:
        self._edges = edges
        self._desk = Desk(own_uid)
        self._manners = DeskManners(machine)
        self._displays, self._displays_at = Displays(), float("-inf")
        self.state = DeskState()

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Demand what the desk demands."""
        if rules.guest == "mine" or rules.is_granted:
            self.state = DeskState()
            return Seen()
        self.state = self._desk.look(self._edges.look(now.at), now.at)
        if rules.desk_action == "half":
            self._look_at_displays(now.at)
        self._edges.saved.look(attempts, now.at)
        around = Surroundings(
            cores=self._edges.cores,
            needs_memory=bool(attempts) and self._edges.available_mib() < rules.reserve_mem_mib,
            drives_display=self._displays.drives,
            saved_at=self._edges.saved.saved_at,
        )
        seen = self._manners.judge(attempts, self.state, around, rules, now.at)
        return replace(seen, facts={"desk": self._facts()})

    def _facts(self) -> dict[str, Any]:
        """Return what `mlq doctor` shows; what changes each second would be told each second."""
        facts = self.state.as_json()
        del facts["touched_at"]
        return facts

    def _look_at_displays(self, at: float) -> None:
        self._displays = self._edges.displays.last(_ROOTS) or self._displays
        if not 0 <= at - self._displays_at < _DISPLAYS_EVERY_S:
            self._displays_at = at
            self._edges.displays.ask(_ROOTS)


def available_mib(path: str = "/proc/meminfo") -> int:
    """Return the main memory that is available on this machine; a lot if that cannot be read."""
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - each second
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) // 1024
    except (OSError, ValueError, IndexError):
        pass
    return 2**40
