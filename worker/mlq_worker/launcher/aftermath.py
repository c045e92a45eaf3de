"""What is found out beside an attempt's end: an emptied log, leftovers in /dev/shm, lack of memory.

To find this out the launcher must look at the disk and at other processes, and either may hang. So
two threads look, one for each, and the launcher waits for them `_PATIENCE_S` at most; after that it
leaves that out. Jobs that lasted less than a second and did not fail cost nothing here.

`echo x > /dev/stderr` opens the log file again and truncates it. Only a process between the job and
its log could prevent that, and if it were killed, the job's last words would be lost. So a thread
looks at the log each second, keeps its latest text in memory, and writes that beside the log if the
text is gone.
"""

from __future__ import annotations

import os
import queue
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from mlq.files.layout import Layout
from mlq.jobs.attempt import AttemptId
from mlq.threads import start_thread
from mlq_worker.ipc import processes
from mlq_worker.ipc.host import Host
from mlq_worker.ipc.procfs import Target
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Result
from mlq_worker.launcher import out_of_memory, shared_memory
from mlq_worker.launcher.hint import read_hint, read_tail
from mlq_worker.launcher.kernel_kills import KernelKills
from mlq_worker.launcher.others_memory import others_mib

KEPT_BYTES = 1 << 18
_FILE_BYTES = 1 << 20
_TAIL_BYTES = 64
SUFFIX = ".before"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class LogWatch:
    """One log.

    Args:
        path: where it lies.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._size = 0
        self._kept = b""
        self._is_emptied = self._is_saved = False

    @property
    def has_text(self) -> bool:
        """Whether there was something in it at the last look."""
        return self._size > 0

    def look(self) -> None:
        """Keep new text, and save text that is gone; may wait for the disk."""
        with suppress(OSError):
            log = os.open(self.path, _READ)
            try:
                status = os.fstat(log)
                if stat.S_ISREG(status.st_mode):
                    self._compare(log, status.st_size)
            finally:
                os.close(log)

    def _compare(self, log: int, size: int) -> None:
        tail = self._kept[-_TAIL_BYTES:]
        if size < self._size or os.pread(log, len(tail), self._size - len(tail)) != tail:
            gone, self._kept = self._kept, b""
            self._is_emptied, self._size = True, 0
            self._is_saved |= self._save(gone)
        start = max(self._size, size - KEPT_BYTES)
        new = os.pread(log, size - start, start)
        self._kept = new if start > self._size else (self._kept + new)[-KEPT_BYTES:]
        self._size = start + len(new)

    def _save(self, text: bytes) -> bool:
        beside = os.open(self.path + SUFFIX, _WRITE, 0o600)
        try:
            status = os.fstat(beside)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _FILE_BYTES:
                return False
            return os.write(beside, text) > 0
        finally:
            os.close(beside)

    def say(self) -> list[str]:
        """Return the notes about this log at the attempt's end."""
        self.look()
        if not self._is_emptied:
            return []
        where = (
            f"what was in it a second before is in {os.path.basename(self.path)}{SUFFIX}"  # noqa: PTH119 - a name
            if self._is_saved
            else "what was in it is lost"
        )
        return [
            f"its log was emptied while it ran; {where} (`> /dev/stderr` does that, `>&2` does not)"
        ]


_LOOK_S = 1.0
_PATIENCE_S = 5.0
_JUST_NOW_S = 5.0  # the kernel kills a process, and then those end that needed it


@dataclass(slots=True)
class _Watched:
    log: LogWatch
    before: frozenset[int]
    target: Target | None = None
    is_looked_at: bool = False
    held: set[int] = field(default_factory=set)
    answers: list[list[str]] = field(default_factory=list)
    shortage: Shortage | None = None
    asked: int = 0
    until: float | None = None


class Found(NamedTuple):
    """What was found out about an attempt: notes for its user, and which memory ran out."""

    notes: tuple[str, ...] = ()
    shortage: Shortage | None = None


class Aftermath:
    """Watches the attempts of one launcher; called from its main thread.

    Args:
        host: where they run.
        layout: where the logs lie.
    """

    def __init__(self, host: Host, layout: Layout) -> None:
        self._host, self._layout = host, layout
        self._watched: dict[AttemptId, _Watched] = {}
        self._logs: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._memory: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._to_start = {self._look_at_logs: self._logs, self._look_at_memory: self._memory}
        self._kills: KernelKills | None = None

    def started(self, attempt: AttemptId, before: frozenset[int], *, apart: bool = False) -> None:
        """Note that an attempt runs.

        Args:
            attempt: the attempt.
            before: the inodes that were in /dev/shm before it.
            apart: whether its standard error goes into a log of its own.
        """
        folder = self._layout.folder(attempt.job_id)
        log = (folder.stderr_file if apart else folder.log_file)(attempt.number)
        self._watched[attempt] = _Watched(LogWatch(log), before)
        self._kills = self._kills or KernelKills(self._host.boottime)
        for look, calls in list(self._to_start.items()):
            if start_thread(partial(self._run, calls, look), look.__name__) is not None:
                del self._to_start[look]  # without room for it, the next job tries again

    def killed(self, attempt: AttemptId, target: Target) -> None:
        """Note what the processes of a doomed attempt hold in /dev/shm, while they live."""
        watched = self._watched.get(attempt)
        if watched is not None and watched.target is None:
            watched.target = target
            self._memory.put(self._look_at_new)

    def failed_in_copy(self, attempt: AttemptId) -> None:
        """Find out from its log why an attempt in a copy of its code failed soon."""
        watched = self._watched.get(attempt)
        if watched is not None:
            self._ask(watched, self._logs, _say_of_copy)

    def failed(self, failure: Result, *, has_gpu: bool) -> None:
        """Find out whether an attempt that failed ran out of memory."""
        watched = self._watched.get(failure.attempt)
        if watched is not None:
            look = partial(self._look_for_shortage, failure, has_gpu)
            self._ask(watched, self._logs, look)

    def _look_for_shortage(self, failure: Result, has_gpu: bool, watched: _Watched) -> list[str]:
        killed = self._kills is not None and self._kills.since(self._host.boottime() - _JUST_NOW_S)
        found = out_of_memory.find(
            read_tail(watched.log.path, out_of_memory.TAIL_BYTES),
            failure.exit_code,
            failure.signal,
            kills=killed,
            has_gpu=has_gpu,
        )
        if found is not None and found.killed:
            found = found._replace(others_mib=others_mib(os.getpid()))
        watched.shortage = found
        return []

    def found(self, attempt: AttemptId) -> Found | None:
        """Return what was found out about an attempt that has ended; None: ask again soon."""
        watched = self._watched.get(attempt)
        if watched is None:
            return Found()
        if watched.until is None:
            watched.until = self._host.boottime() + _PATIENCE_S
            if watched.log.has_text:
                self._ask(watched, self._logs, _say_of_log)
            if watched.target is not None:
                self._ask(watched, self._memory, _say_of_memory)
        if len(watched.answers) < watched.asked and self._host.boottime() < watched.until:
            return None
        del self._watched[attempt]
        notes = tuple(note for notes in list(watched.answers) for note in notes)
        return Found(notes, watched.shortage)

    def _ask(
        self,
        watched: _Watched,
        calls: queue.SimpleQueue[Callable[[], object]],
        say: Callable[[_Watched], list[str]],
    ) -> None:
        watched.asked += 1
        calls.put(lambda: watched.answers.append(say(watched)))

    def _run(
        self,
        calls: queue.SimpleQueue[Callable[[], object]],
        look: Callable[[list[_Watched]], object],
    ) -> None:
        look_at = self._host.boottime() + _LOOK_S
        while True:
            with suppress(queue.Empty):
                calls.get(timeout=max(0.0, look_at - self._host.boottime()))()
            if self._host.boottime() >= look_at:
                look_at = self._host.boottime() + _LOOK_S
                look(list(self._watched.values()))

    def _look_at_logs(self, watched: list[_Watched]) -> None:
        if self._kills is not None:
            self._kills.look()
        for one in watched:
            one.log.look()

    def _look_at_new(self) -> None:
        # All that must be killed now, so that one look at the process table serves them.
        self._look_at_memory([one for one in list(self._watched.values()) if not one.is_looked_at])

    def _look_at_memory(self, watched: list[_Watched]) -> None:
        targets = [(one, one.target) for one in watched if one.target is not None]
        if not targets:
            return
        table = self._host.look()
        for one, target in targets:
            one.is_looked_at = True
            with suppress(OSError, ValueError):
                held_by = processes.members(self._host, [target], table)
                one.held |= shared_memory.held_by(held_by)


def _say_of_log(watched: _Watched) -> list[str]:
    return watched.log.say()


def _say_of_copy(watched: _Watched) -> list[str]:
    hint = read_hint(watched.log.path)
    return [hint] if hint else []


def _say_of_memory(watched: _Watched) -> list[str]:
    try:
        return shared_memory.clear(watched.before, watched.held)
    except (OSError, ValueError):
        return []
