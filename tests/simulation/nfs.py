"""Simulated NFS: one server, and each machine's own view of it, slow, stale, failing or hanging.

What was written is seen by its writer at once and by others after their view's staleness. A write
that is under way when its machine loses power may or may not have reached the server.
"""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlq.files.layout import Layout
from mlq_worker.ipc.values import Found, Order
from simulation.engine import Engine, Killed

SOFT_S = 60.0


@dataclass
class View:
    """How one machine sees NFS now; times are simulated."""

    hangs_until: float = 0.0
    soft: bool = False
    """Whether a hang ends with an error after a while, as on a soft mount."""
    fails_until: float = 0.0
    error: int = errno.EIO
    stale_until: float = 0.0
    staleness_s: float = 2.0
    slow_until: float = 0.0
    slow_s: float = 0.0
    """How much longer each operation takes."""
    other_until: float = 0.0
    """Until when another folder lies where the results root was."""

    def is_other(self, now: float) -> bool:
        return now < self.other_until

    asleep_until: float = 0.0
    """How long something hangs that began to hang when the hang was to last longer."""

    def heal(self) -> None:
        self.hangs_until = self.fails_until = self.stale_until = self.slow_until = 0.0
        self.other_until = 0.0


@dataclass
class Nfs:
    """The server: each file's versions as (time, writer, content)."""

    engine: Engine
    files: dict[Path, list[tuple[float, str, bytes]]] = field(default_factory=dict)
    job_files: dict[str, str] = field(default_factory=dict)
    """The `job.json` of each job that has a folder."""
    others: dict[tuple[str, Path], bytes] = field(default_factory=dict)
    """What was written where another folder lies in the root's place, by machine."""

    def write(self, machine: Any, path: Path, data: bytes) -> None:
        """Replace a file; in a task of the machine.

        Raises:
            OSError: as NFS would.
        """
        rng = self.engine.rng
        applied = False
        try:
            self._reach(machine)
            self.engine.sleep(rng.uniform(0.004, 0.06))
            self._reach(machine)
            self._apply(machine, path, data)
            applied = True
            self.engine.sleep(rng.uniform(0.001, 0.03))
            self._reach(machine)
        except Killed:
            if not applied and machine.view.hangs_until <= self.engine.now and rng.random() < 0.5:
                self._apply(machine, path, data)
            raise

    def read(self, machine: Any, path: Path) -> bytes | None:
        """The content of a file as the machine sees it; None if it sees none.

        Raises:
            OSError: as NFS would.
        """
        self._reach(machine)
        self.engine.sleep(self.engine.rng.uniform(0.001, 0.03))
        self._reach(machine)
        view, now = machine.view, self.engine.now
        if view.is_other(now):
            return self.others.get((machine.name, path))
        limit = view.staleness_s if now < view.stale_until else 2.0
        seen_until = now - self.engine.rng.uniform(0, limit)
        for at, writer, data in reversed(self.files.get(path, ())):
            if writer == machine.name or at <= seen_until:
                return data
        return None

    def written_at(self, path: Path) -> float:
        """When the file was last written; infinity if never."""
        versions = self.files.get(path)
        return versions[-1][0] if versions else float("inf")

    def last_attempt(self, root: Layout, job_id: str, at_least: int) -> Found | None:
        """Return the last attempt of which there is a log, and its holder, from `at_least` on."""
        logs = self._logs(root, job_id)
        last = max(logs, default=0)
        if last < at_least:
            return None
        return Found(last, **logs[last])

    def is_of_another(self, order: Order) -> bool:
        """Return whether another job had the number before."""
        return self.job_files.get(order.attempt.job_id, order.job_json) != order.job_json

    def _logs(self, root: Layout, job_id: str) -> dict[int, Any]:
        folder = Path(root.folder(job_id).attempts_dir)
        return {
            int(path.parent.name): json.loads(versions[-1][2])
            for path, versions in self.files.items()
            if path.name == "output.log" and path.parent.parent == folder
        }

    def largest_number(self, machine: Any) -> int:
        """Return the largest job number that has a folder.

        Raises:
            OSError: as NFS would.
        """
        self._reach(machine)
        self.engine.sleep(self.engine.rng.uniform(0.001, 0.03))
        return max((number_of(path) for path in self.files), default=0)

    def put(self, machine: Any, path: Path, data: bytes) -> None:
        """Replace a file at once; outside of any task."""
        self._apply(machine, path, data)

    def _apply(self, machine: Any, path: Path, data: bytes) -> None:
        if machine.view.is_other(self.engine.now):
            self.others[machine.name, path] = data
            return
        self.files.setdefault(path, []).append((self.engine.now, machine.name, data))
        if len(self.files[path]) > 40:
            del self.files[path][:20]

    def _reach(self, machine: Any) -> None:
        view = machine.view
        began = self.engine.now
        while (left := view.hangs_until - self.engine.now) > 0:
            if view.soft and left > SOFT_S - (self.engine.now - began):
                self.engine.sleep(SOFT_S)
                raise OSError(errno.ETIMEDOUT, "Connection timed out")
            view.asleep_until = max(view.asleep_until, view.hangs_until)
            self.engine.sleep(left)
        if self.engine.now < view.slow_until:
            self.engine.sleep(view.slow_s)
        if self.engine.now < view.fails_until:
            raise OSError(view.error, errno.errorcode[view.error])


def number_of(path: Path) -> int:
    """Return the number of the job whose file this is; 0 if it is no job's."""
    parts = path.parts
    name = parts[parts.index("jobs") + 1] if "jobs" in parts else ""
    return int(name) if name.isdecimal() else 0
