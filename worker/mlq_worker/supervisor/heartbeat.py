"""The sign of life on NFS, written by a thread of its own.

NFS hangs for minutes at a time; the thread that holds the clock must not. So this thread alone
writes the beat and hands over when each beat began and ended. Invariant: a beat counts from the
moment its writing began, once it is complete, and only in the queue's results root, which is
checked with each beat: no reaper would see a beat in another folder.

A worker starts a supervisor only once the machine's name is its own. But the worker that was given
up for dead may come back, with its supervisor. So a supervisor must not replace a beat that another
host wrote until that has not changed for `dead_s` (`BeatGuard`); until then it has no channel to
NFS.
"""

from __future__ import annotations

import errno
import json
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mlq.files.layout import Layout, write_atomically
from mlq.files.root import WrongRootError
from mlq.files.strict_files import BEAT_BYTES, Content, Unreadable, read_file
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.options import Options


class ForeignBeatError(OSError):
    """Another host beats in this machine's name."""


class SilentError(OSError):
    """The supervisor must not beat in its machine's name (`standing`)."""


class BeatGuard:
    """Checks the content of the beat file before the supervisor replaces it.

    Args:
        supervisor_id: ours.
        host_id: of this host; "": not known, and then nothing is guarded.
        dead_beat: `<supervisor id>:<counter>` of a beat that was found to belong to no supervisor
            any more.
        dead_s: how long an unchanged beat means death.
        gap_s: looks farther apart than this prove nothing about the time between them.
    """

    def __init__(
        self, supervisor_id: str, host_id: str, dead_beat: str, dead_s: float, gap_s: float
    ) -> None:
        self._supervisor_id, self._host_id, self._dead_beat = supervisor_id, host_id, dead_beat
        self._dead_s, self._gap_s = dead_s, gap_s
        self._seen: tuple[str, float, float] = ("", 0.0, 0.0)

    def check(self, raw: bytes | None, now: float) -> None:
        """Return if the file may be replaced.

        Args:
            raw: the content of the file; None: there is none.
            now: boot time.

        Raises:
            ForeignBeatError: another host wrote that, and may be alive.
        """
        beat = _read(raw)
        if not self._host_id or beat.get("supervisor_id") == self._supervisor_id:
            return
        # What has no host was written by an older mlq, or is no beat.
        if beat.get("host_id", "") in ("", self._host_id):
            return
        shown = f"{beat.get('supervisor_id')}:{beat.get('counter')}"
        text, since, last = self._seen
        if text != shown or now - last > self._gap_s:
            since = now
        self._seen = (shown, since, now)
        if shown != self._dead_beat and now - since < self._dead_s:
            host = str(beat.get("host", ""))[:64]
            raise ForeignBeatError(
                errno.EBUSY, f"host {host!r} beats in its name: two machines have one name"
            )


def _read(raw: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class Beat(NamedTuple):
    """A completed beat; boot times in seconds."""

    began_at: float
    ended_at: float


class HeartbeatWriter:
    """The thread that rewrites the beat file each `beat_s`.

    Args:
        host: where it runs.
        options: those of the supervisor.
        identity: the fields machine, boot_id and supervisor_id of the file.
        wake: called from the thread after each beat, completed or failed.
    """

    def __init__(
        self,
        host: Host,
        options: Options,
        identity: dict[str, str],
        wake: Callable[[], object],
    ) -> None:
        self._host, self._layout = host, options.layout
        self._identity = identity
        self._beat_s = options.timings.beat_s
        self._wake, self._guard = wake, guard_of(options, identity["supervisor_id"])
        self._stop = threading.Event()
        self._counter = 0
        self._writing_since: float | None = None
        self._error = ""
        self.wrong_root = self.silent_because = ""
        self.attempts: tuple[AttemptId, ...] = ()
        self.paused = 0
        self.worker = False
        self.completed: deque[Beat] = deque()
        # A daemon thread: one that hangs in NFS must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Start beating, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further beat."""
        self._stop.set()

    def error(self, now: float) -> str:
        """Return what is wrong with the channel to NFS; "" if nothing is."""
        since = self._writing_since
        if since is not None and now - since > self._beat_s:
            return f"no answer from {self._layout.workers_dir} for {now - since:.0f} s"
        return self._error

    def _run(self) -> None:
        while not self._stop.is_set():
            began_at = self._host.boottime()
            self._writing_since = began_at
            try:
                self._write()
            except WrongRootError as error:
                self.wrong_root = str(error.strerror)
                self._error = f"not the queue's results root: {self.wrong_root}"
            except (ForeignBeatError, SilentError) as error:
                self._error = error.strerror or ""
            except OSError as error:
                path = self._layout.beat_file(self._identity["machine"])
                self._error = f"cannot write {path}: {error.strerror}"
            else:
                self._error = self.wrong_root = ""
                self.completed.append(Beat(began_at, self._host.boottime()))
            self._writing_since = None
            self._wake()
            self._stop.wait(max(0.0, began_at + self._beat_s - self._host.boottime()))

    def _content(self) -> bytes:
        content = {
            **self._identity,
            "counter": self._counter,
            "attempts": self.attempts,
            "paused": self.paused,
            "worker": self.worker,
        }
        return json.dumps(content).encode("ascii")

    def _write(self) -> None:
        if self.silent_because:
            raise SilentError(errno.EBUSY, self.silent_because)
        self._counter += 1
        with self._host.pinned(self._layout) as root:
            self._put(root)

    def _put(self, root: Layout) -> None:
        path = root.beat_file(self._identity["machine"])
        self._guard.check(_lying_at(root, path), self._host.boottime())
        root.workers_dir.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, self._content())


def guard_of(options: Options, supervisor_id: str) -> BeatGuard:
    """Return what keeps a supervisor from overwriting another host's beat."""
    timings = options.timings
    return BeatGuard(
        supervisor_id, options.host_id, options.dead_beat, timings.dead_s, 3 * timings.beat_s
    )


def _lying_at(root: Layout, path: Path) -> bytes | None:
    found = read_file(root.root, path, BEAT_BYTES)
    if isinstance(found, Unreadable):
        raise OSError(errno.EIO, found.why)
    return found.data if isinstance(found, Content) else None
