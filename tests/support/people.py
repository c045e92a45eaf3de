"""Ordinary users of this box: whom the tests of security are about, and who attacks them.

The tests run as root, and let everything that is to be attacked, and every attack, run as somebody
else. Most of these need not exist: a number that nobody has is a user too. Where a name is needed
(ssh), two of the accounts that every Debian brings are borrowed; nothing of them is changed.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci import require

# Accounts without a human and, on most machines, without a process.
_ACCOUNTS = ("games", "news", "uucp", "lp", "irc", "list", "backup")
_FIRST_UID = 20_000


@contextmanager
def ending() -> Iterator[None]:
    """End this process afterwards, whatever happens; an error is shown."""
    try:
        yield
    except Exception:
        traceback.print_exc()
        raise
    finally:
        os._exit(0)


@dataclass(frozen=True)
class Person:
    """A user without any rights; `name` is only a word if the account does not exist."""

    name: str
    uid: int
    gid: int

    @property
    def identity(self) -> dict[str, Any]:
        """Options of `subprocess.Popen`; with a umask that protects nothing."""
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0}

    def run(self, argv: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as this person, its output into pipes."""
        options = {"cwd": "/", "timeout": 60, **self.identity, **options}
        return subprocess.run(argv, capture_output=True, text=True, check=False, **options)

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function in a process of this person; what it returns must have a JSON form."""
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            with ending():
                self.become()
                with os.fdopen(theirs, "w") as told:
                    json.dump(function(), told)
        os.close(theirs)
        with os.fdopen(ours) as heard:
            text = heard.read()
        os.waitpid(pid, 0)
        return json.loads(text)

    def become(self) -> None:
        """Let this process be the person's from now on."""
        os.setgroups([])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        os.umask(0o077)

    def own(self, path: Path) -> Path:
        """Give this person a file or folder; returns it."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
        return path

    def processes(self) -> list[int]:
        """Return the processes that this person runs."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if process.stat().st_uid == self.uid:
                    found.append(int(process.name))
        return found

    def kill_all(self) -> None:
        """Kill all processes of a person whom nobody else uses; see `strangers`."""
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def need_root() -> None:
    """Skip the test unless it runs as root."""
    require(os.geteuid() == 0, "root, to be two other users")


def strangers() -> tuple[Person, Person]:
    """Return two users who do not exist and run nothing: numbers of this test session."""
    need_root()
    first = _FIRST_UID + 2 * (os.getpid() % 20_000)
    return Person("ann", first, first), Person("eve", first + 1, first + 1)


def accounts() -> tuple[Person, Person]:
    """Return two users with an account of this system."""
    need_root()
    found = []
    for name in _ACCOUNTS:
        with suppress(KeyError):
            account = pwd.getpwnam(name)
            found.append(Person(name, account.pw_uid, account.pw_gid))
    require(len(found) >= 2, f"two accounts of the system among {', '.join(_ACCOUNTS)}")
    return found[0], found[1]
