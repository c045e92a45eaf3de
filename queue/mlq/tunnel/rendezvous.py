"""The folder in which commands and the keeper of their shared tunnel meet.

Two kernel locks hold all the state that matters, so that files left behind by `kill -9` mislead no
command: the keeper holds `lock` as long as it lives, and every command holds `use`, shared, as long
as it lives. The keeper leaves only when it holds `use` alone, so a command is never cut off. A
cleaner may delete both files: then the kernel's name shows that there is a keeper; the keeper makes
`lock` again, and remembers each `use` that it has seen (`UseLocks`). The state file is only for
messages.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.errors import TunnelError
from mlq.files.layout import write_atomically
from mlq.files.locks import is_at, lock, try_lock, unlock
from mlq.files.paths import private_dir
from mlq.settings.settings import Settings
from mlq.tunnel.target import Target

if TYPE_CHECKING:
    from mlq.tunnel.interface import TunnelState  # every command would wait for its import


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """The folder of one shared tunnel."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, target: Target) -> Rendezvous:
        """Return the place of a target's tunnel; make and check every folder above it.

        Raises:
            UnsafePathError: a folder is not ours alone.
        """
        shared = private_dir(private_dir(settings.runtime_dir) / "t")
        return cls(private_dir(shared / target.folder_name))

    @property
    def socket(self) -> Path:
        """Where to connect."""
        return self.folder / "sock"

    @property
    def log(self) -> Path:
        """The keeper's log."""
        return self.folder / "log"

    def lock(self) -> int | None:
        """Become the keeper; return the descriptor that holds the lock, None if there is one."""
        descriptor = self.retake_lock()
        if descriptor is not None and self._is_named():
            os.close(descriptor)
            return None
        return descriptor

    def retake_lock(self) -> int | None:
        """Lock the file that is there now, for a keeper whose own lock file was deleted."""
        return _locked(self.folder / "lock")

    @property
    def name(self) -> str:
        """The kernel's name for the keeper, which a cleaner cannot delete."""
        from mlq.files.kernel_names import kernel_name

        return kernel_name("tunnel", str(self.folder))

    def _is_named(self) -> bool:
        from mlq.files.kernel_names import owner

        return owner(self.name) is not None

    def is_kept(self) -> bool:
        """Return whether a keeper lives."""
        descriptor = _locked(self.folder / "lock", shared=True)
        if descriptor is None:
            return True
        os.close(descriptor)
        return self._is_named()

    def use(self) -> int:
        """Hold the tunnel in use as long as the returned descriptor is open.

        Wait for a keeper that is just leaving.
        """
        descriptor = _locked(self.folder / "use", shared=True, waits=True)
        if descriptor is None:
            raise BlockingIOError("a shared lock was refused")
        return descriptor

    def tell(self, state: TunnelState) -> None:
        """Write the state of the tunnel, for commands that wait for it."""
        tried_s = time.time() - (time.monotonic() - state.tried_s)  # valid after a reboot
        error = None if state.up else state.last_error
        news = {"tried_s": tried_s, "error": error and [error.what, error.why, error.fix]}
        with suppress(OSError):  # a cleaner removed the folder; the next connection makes it again
            write_atomically(self._news, json.dumps(news).encode())

    def failure(self, since_s: float) -> TunnelError | None:
        """Return why an attempt that began after `since_s` (unix time) failed, if one did."""
        try:
            news = json.loads(self._news.read_bytes())
        except FileNotFoundError:
            return None
        if news["error"] is None or news["tried_s"] < since_s:
            return None
        what, why, fix = news["error"]
        return TunnelError(what, why=why, fix=fix)

    @property
    def _news(self) -> Path:
        return self.folder / "state.json"


class UseLocks:
    """Tells the keeper whether a command uses the tunnel, by every file `use` that ever existed.

    Args:
        place: of the tunnel.
    """

    def __init__(self, place: Rendezvous) -> None:
        self._path = place.folder / "use"
        self._known: list[int] = []
        self._look()

    def last_use_ns(self) -> int:
        """Return when the tunnel was last asked for; only good for comparing."""
        self._look()
        return max(os.fstat(one).st_mtime_ns for one in self._known)

    def take_if_unused(self) -> bool:
        """Keep commands out; return whether that succeeded: False if a command uses the tunnel."""
        self._look()
        *old, latest = self._known
        self._known = [one for one in old if not self._drop_if_free(one)] + [latest]
        return len(self._known) == 1 and try_lock(latest)

    def release(self) -> None:
        """Let commands in again."""
        unlock(self._known[-1])

    def _look(self) -> None:
        if not self._known or not is_at(self._path, self._known[-1]):
            self._known.append(_open(self._path))

    def _drop_if_free(self, descriptor: int) -> bool:
        # The file was deleted: no new command can lock it.
        free = try_lock(descriptor)
        if free:
            os.close(descriptor)
        return free


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _locked(path: Path, *, shared: bool = False, waits: bool = False) -> int | None:
    descriptor = _open(path)
    try:
        if waits:
            lock(descriptor, shared=shared)
        elif not try_lock(descriptor, shared=shared):
            os.close(descriptor)
            return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
