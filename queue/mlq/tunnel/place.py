"""The folder in which commands and the keeper of their shared tunnel meet.

Two locks of the kernel say all that must be true, so that nothing left behind by `kill -9` fools
anybody: `lock` is held by the keeper as long as it lives, `use` is held, shared, by every command
as long as it lives. The keeper leaves only with `use` to itself, so a command is never cut off.
What the state file says is only news.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.errors import TunnelError
from mlq.layout import write_atomically
from mlq.paths import private_dir
from mlq.settings import Settings
from mlq.tunnel.target import Target

if TYPE_CHECKING:
    from mlq.tunnel.interface import TunnelState  # every command would wait for its import


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one shared tunnel."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, target: Target) -> Place:
        """Return the place of a target's tunnel, made and checked on the whole way.

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
        """What the keeper says."""
        return self.folder / "log"

    def lock(self) -> int | None:
        """Become the keeper; returns the descriptor that holds the lock, None if there is one."""
        return _locked(self.folder / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_kept(self) -> bool:
        """Tell whether a keeper lives."""
        descriptor = _locked(self.folder / "lock", fcntl.LOCK_SH | fcntl.LOCK_NB)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def use(self) -> int:
        """Hold the tunnel in use as long as the returned descriptor is open.

        Waits for a keeper that is just leaving.
        """
        descriptor = _locked(self.folder / "use", fcntl.LOCK_SH)
        if descriptor is None:
            raise BlockingIOError("a shared lock was refused")
        return descriptor

    def take_if_unused(self) -> int | None:
        """Keep commands out; returns the descriptor that does, None if one uses the tunnel."""
        return _locked(self.folder / "use", fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self, descriptor: int) -> None:
        """Let go of a lock."""
        os.close(descriptor)

    def last_use_ns(self) -> int:
        """Return when the tunnel was last asked for; only good for comparing."""
        try:
            return (self.folder / "use").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def tell(self, state: TunnelState) -> None:
        """Leave word of how the tunnel is, for commands that wait for it."""
        tried_s = time.time() - (time.monotonic() - state.tried_s)  # a clock that survives a boot
        error = None if state.up else state.last_error
        news = {"tried_s": tried_s, "error": error and [error.what, error.why, error.fix]}
        write_atomically(self._news, json.dumps(news).encode())

    def failure(self, since_s: float) -> TunnelError | None:
        """Return why an attempt failed that began after `since_s` (unix time), if one did."""
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


def _locked(path: Path, how: int) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
