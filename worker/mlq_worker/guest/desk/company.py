"""Whether anybody else is active on this machine, looked at only when somebody asks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from mlq_worker.guest.desk.desk import DeskState
from mlq_worker.guest.desk.people import People, Terminal, anybody_active, read_terminals
from mlq_worker.ipc.clock import boottime


class Company:
    """The others.

    Args:
        desk: returns what is known of the desk.
        own_uid: the user whose jobs run here.
        terminals: returns the terminals of all users.
        at: boot time in s.
        utc: the wall clock in s.
    """

    def __init__(
        self,
        desk: Callable[[], DeskState],
        own_uid: int = os.getuid(),
        terminals: Callable[[], Mapping[str, Terminal]] = read_terminals,
        at: Callable[[], float] = boottime,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._desk, self._terminals = desk, terminals
        self._at, self._utc = at, utc
        self._people = People(own_uid)

    def is_there(self) -> bool:
        """Look once, and return whether anybody is active."""
        at = self._at()
        by_ssh = self._people.look(self._terminals(), at, self._utc())
        return anybody_active(by_ssh, self._desk(), at)
