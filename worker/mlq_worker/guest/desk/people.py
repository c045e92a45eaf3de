"""Who else is active on this machine, at its desk or by ssh: they pause nothing, but get room.

A person counts while their terminal (`/dev/pts/N`) was read within the last 15 minutes: what they
typed went to a shell there. A login that only stays open does not count. Neither do our own
terminals; root's do, for an administrator who types is a person as well.

`read_terminals` is the edge; all else is pure. The kernel stamps terminals with the wall clock,
which may jump: a stamp that has changed was made since the last look, however old it seems.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from mlq_worker.guest.desk.desk import DeskState

ACTIVE_S = 900.0


class Terminal(NamedTuple):
    """A terminal: whose it is, and when it was last read, in s of UTC."""

    uid: int
    read_at: float


class People:
    """Folds looks at the terminals into which other users are active by ssh.

    Args:
        own_uid: the user whose jobs run here.
    """

    def __init__(self, own_uid: int) -> None:
        self._own_uid = own_uid
        self._terminals: Mapping[str, Terminal] = {}
        self._read_at: dict[str, float] = {}  # boot time
        self._looked_at = float("-inf")

    def look(self, terminals: Mapping[str, Terminal], at: float, utc: float) -> frozenset[int]:
        """Take in one look; return the users who typed within the last 15 minutes.

        Args:
            terminals: all of the machine, by name.
            at: boot time in s.
            utc: the wall clock in s.
        """
        gap_s = at - self._looked_at
        for name, terminal in terminals.items():
            if self._terminals.get(name) != terminal:
                # Read since the last look, whatever the wall clock says.
                self._read_at[name] = at - max(0.0, min(utc - terminal.read_at, gap_s))
        for name in self._read_at.keys() - terminals.keys():
            del self._read_at[name]
        self._terminals, self._looked_at = terminals, at
        return frozenset(
            terminals[name].uid
            for name, read_at in self._read_at.items()
            if at - read_at < ACTIVE_S and terminals[name].uid != self._own_uid
        )


def anybody_active(by_ssh: frozenset[int], desk: DeskState, at: float) -> bool:
    """Return whether anybody else is active, so that the reserve is left to them.

    Args:
        by_ssh: what `People.look` returned.
        desk: what is known of the desk.
        at: boot time in s.
    """
    at_desk = desk.touched_at is not None and at - desk.touched_at < ACTIVE_S
    return bool(by_ssh) or at_desk


def read_terminals(dev: str = "/dev") -> dict[str, Terminal]:
    """Return the terminals of all users; those that cannot be read are left out."""
    found = {}
    try:
        with os.scandir(f"{dev}/pts") as entries:
            for entry in entries:
                if not entry.name.isdigit():
                    continue
                try:
                    seen = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # it has just been closed
                found[entry.name] = Terminal(seen.st_uid, seen.st_atime)
    except OSError:
        pass
    return found
