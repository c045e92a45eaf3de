"""The results root as a machine's worker sees it: stands in for the files of agent and copier."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from mlq.copies.keeper import LATEST, copies_dir
from mlq.files.layout import Layout
from mlq.files.root import WrongRootError
from mlq.files.strict_files import Absent, Found
from simulation import poisoned_results
from simulation.machine import Machine
from simulation.nfs import Nfs


@contextmanager
def pinned(machine: Machine, layout: Layout) -> Iterator[Layout]:
    """Stand in for `mlq.files.root.pinned`: the queue's own folder lies there, or another."""
    if layout.queue_id and machine.view.is_other(machine.engine.now):
        raise WrongRootError("simulated: it has no queue.json")
    yield layout


class SimRootFiles:
    """Stands in for `mlq_worker.agent.nfs.RootFiles`.

    Args:
        machine: who reads.
        nfs: the file server.
    """

    def __init__(self, machine: Machine, nfs: Nfs) -> None:
        self._machine, self._nfs = machine, nfs

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        return pinned(self._machine, layout)

    def read(self, _root: Path, path: Path, _most_bytes: int, *, tail: bool = False) -> Found:
        # The end of a file is asked for its progress only, and simulated jobs report none.
        return Absent() if tail else poisoned_results.read(self._nfs, self._machine, path)

    def largest_number(self, _root: Layout) -> int:
        return self._nfs.largest_number(self._machine)

    def remove_old_beats(self, _layout: Layout, _own: str, _known: Collection[str]) -> int:
        return 0  # no simulated worker is in an allocation


class SimCopyFiles:
    """Stands in for `mlq.copies.keeper.RootCopyFiles`.

    Args:
        machine: who writes.
        nfs: the file server.
    """

    def __init__(self, machine: Machine, nfs: Nfs) -> None:
        self._machine, self._nfs = machine, nfs

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        return pinned(self._machine, layout)

    def write(self, root: Layout, raw: bytes) -> None:
        self._nfs.write(self._machine, copies_dir(root) / LATEST, raw)

    def confirm(self, root: Layout, size: int) -> bool:
        path = copies_dir(root) / LATEST
        raw = self._nfs.read(self._machine, path)
        if raw is None or len(raw) != size:
            return False
        self._nfs.write(self._machine, path, raw)
        return True
