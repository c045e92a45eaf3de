"""Ordinary users of this box: whom the tests of security are about, and who attacks them.

The tests run as root, and let everything that is to be attacked, and every attack, run as somebody
else. Most of these need not exist: a number that nobody has is a user too. Where a name is needed
(ssh), two of the accounts that every Debian brings are borrowed; nothing of them is changed.
"""

from __future__ import annotations

import itertools
import json
import os
import pwd
import shutil
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
# Numbers that nobody has: each process of tests has a hundred pairs, each test that asks gets one.
_FIRST_UID, _SESSIONS, _PAIRS = 20_000, 200, 100
_pairs = itertools.cycle(range(_PAIRS))
_known: set[int] = set()


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
    """Return two users who do not exist, run nothing and have nothing in /tmp."""
    need_root()
    first = _FIRST_UID + 2 * (_PAIRS * (os.getpid() % _SESSIONS) + next(_pairs))
    for uid in (first, first + 1):
        _remove_what_is_of(uid)  # a session that was killed may have had the same numbers
    return _remembered(Person("ann", first, first), Person("eve", first + 1, first + 1))


def _remembered(*two: Person) -> tuple[Person, Person]:
    _known.update(one.uid for one in two)
    return two[0], two[1]


def remove_what_they_left() -> None:
    """Remove from /tmp what mlq had there for any of these users."""
    for uid in _known:
        _remove_what_is_of(uid)


def _remove_what_is_of(uid: int) -> None:
    # A killed mlq leaves its board.
    for path in (Path(f"/tmp/mlq-{uid}"), *Path("/tmp").glob(f"mlq-{uid}.*.board")):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a folder with all in it, or a link; nothing there is fine."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def accounts() -> tuple[Person, Person]:
    """Return two users with an account of this system."""
    need_root()
    found = []
    for name in _ACCOUNTS:
        with suppress(KeyError):
            account = pwd.getpwnam(name)
            found.append(Person(name, account.pw_uid, account.pw_gid))
    require(len(found) >= 2, f"two accounts of the system among {', '.join(_ACCOUNTS)}")
    return _remembered(*found[:2])
