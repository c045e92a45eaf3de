"""The login names of this machine's users, for the words that people read.

A name may come from a directory service that hangs, so it is looked up in a thread, which is waited
for once and for a moment only; until it is known, and if there is none, the number stands for it.
"""

from __future__ import annotations

import pwd
from collections.abc import Callable

from mlq_worker.guest.asker import Asker

_MOMENT_S = 0.02  # a name in /etc/passwd takes less than one hundredth of it


class LoginNames:
    """Remembers names.

    Args:
        look_up: finds the name of a user by number; it may hang.
    """

    def __init__(self, look_up: Callable[[int], str] | None = None) -> None:
        self._asker = Asker(look_up or login_name)
        self._waited_for: set[int] = set()

    def name(self, uid: int) -> str:
        """Return the name of a user, or the number as long as no name is known."""
        found = self._asker.last(uid)
        if found is None:
            self._asker.ask(uid)
            if uid not in self._waited_for:
                self._waited_for.add(uid)
                self._asker.wait(uid, _MOMENT_S)
            found = self._asker.last(uid)
        return str(uid) if found is None else found


def login_name(uid: int) -> str:
    """Return the name of a user, the number if there is none; it may wait for a service."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    return printable(name) or str(uid)


def printable(text: str) -> str:
    """Return a text that others wrote without control characters, line ends and the like."""
    return "".join(one for one in text if one.isprintable()).strip()
