"""A simulated machine as the supervisor and the launcher see it: stands in for `LinuxHost`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

from mlq.files.layout import Layout
from mlq.units import utc_iso
from mlq_worker.ipc.procfs import Process
from simulation.machine import Machine
from simulation.roots import pinned


class SimHost:
    """Its clocks, processes and log.

    Args:
        machine: which.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.boottime, self.kill, self.killpg = machine.boot_s, machine.kill, machine.killpg
        self.waited_s = 0.0

    def utc_now(self) -> str:
        return utc_iso(self._machine.utc_s())

    def note(self, text: str) -> None:
        self._machine.engine.note(text, self._machine.name)

    def look(self) -> dict[int, Process]:
        return {one.pid: one.row() for one in self._machine.table.values() if one.alive}

    def look_at(self, pid: int) -> Process | None:
        one = self._machine.table.get(pid)
        return None if one is None else one.row()

    def mark_of(self, pid: int) -> str:
        one = self._machine.table.get(pid)
        return "" if one is None else one.mark

    def pinned(self, layout: Layout) -> AbstractContextManager[Layout]:
        return pinned(self._machine, layout)

    def poll(self) -> Any:
        """What remembers for how long it was to wait; the events of the engine do the rest."""

        def poll(milliseconds: int) -> None:
            self.waited_s = milliseconds / 1000

        return SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None, poll=poll)
