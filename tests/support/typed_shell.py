"""An interactive shell on a terminal, and somebody who types there."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from waiting import wait_for

_POLL_S = 0.05


class TypedShell:
    """The keyboard and the screen of a shell.

    Args:
        terminal: our end of its terminal.
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._unread = ""

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._terminal, keys.encode())

    def until_shown(self, pattern: str) -> str:
        """Return what is shown up to the first text like this, once it is; then forget that."""
        try:
            match = wait_for(lambda: re.search(pattern, self._more()), what=repr(pattern))
        except AssertionError as error:
            raise AssertionError(f"{error}; on the screen: {self._unread!r}") from None
        shown, self._unread = self._unread[: match.end()], self._unread[match.end() :]
        return shown

    def _more(self) -> str:
        if select.select([self._terminal], [], [], _POLL_S)[0]:
            self._unread += os.read(self._terminal, 65536).decode(errors="replace")
        return self._unread


@contextmanager
def typed_shell(
    argv: Sequence[str], environ: Mapping[str, str], folder: Path
) -> Iterator[TypedShell]:
    """Start a shell on a terminal of its own, and end it afterwards."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        argv,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ,
        cwd=folder,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield TypedShell(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
