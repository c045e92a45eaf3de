"""Where the real code meets the simulated world: names replaced for the length of a seed.

Nothing in the product knows of this. Each replaced name is an edge: a clock, a process, a file, a
socket, a thread.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

import mlq.store.operations
import mlq.store.sending
import mlq_worker.agent.machine_name
import mlq_worker.agent.memory
import mlq_worker.agent.nfs_reads
import mlq_worker.agent.reaper_role
from mlq.copies import keeper
from mlq.copies.copy_files import LATEST, copies_dir
from mlq.files.strict_files import Found
from mlq_worker.agent import nfs, queue_state
from mlq_worker.agent.copying import CopierFacts, CopierRole
from mlq_worker.ipc import clock, processes
from mlq_worker.launcher import outbox, result_writer, spawner
from mlq_worker.supervisor import heartbeat, listener, loop, notices
from mlq_worker.supervisor.audience import Manner
from simulation import poisoned_results, roots
from simulation.fittings import SimDoor
from simulation.supervision import prepared, shelved

WORLD: Any = None


def _here() -> Any:
    return WORLD.engine.here


def _boottime() -> float:
    return float(_here().boot_s())


def _utc_now() -> str:
    from mlq.units import utc_iso

    return utc_iso(_here().utc_s())


def _note(text: str) -> None:
    WORLD.engine.note(text)


def _look() -> dict[int, Any]:
    return {one.pid: one.row() for one in _here().table.values() if one.alive}


def _look_at(pid: int) -> Any:
    one = _here().table.get(pid)
    return None if one is None else one.row()


def _mark_of(pid: int) -> str:
    one = _here().table.get(pid)
    return "" if one is None else one.mark


_PROCESSES_OS = SimpleNamespace(
    kill=lambda pid, number: _here().kill(pid, number),
    killpg=lambda group, number: _here().killpg(group, number),
)
_SPAWNER_OS = SimpleNamespace(
    close=lambda _descriptor: None, WIFSIGNALED=os.WIFSIGNALED, WIFEXITED=os.WIFEXITED
)
_LOOP_SELECT = SimpleNamespace(
    POLLIN=1, poll=lambda: SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
)


class NoCopying:
    """No copy is kept on the root."""

    def __init__(self, *_: object) -> None: ...

    def facts(self) -> CopierFacts:
        return CopierFacts(now_s=0.0, away_until_s=1.0)


def _copying(*args: Any) -> Any:
    # Only where the copy is needed: seeds that lose no data stay what they were.
    return (CopierRole if WORLD.loss.is_planned else NoCopying)(*args)


def _write_copy(root: Any, raw: bytes) -> None:
    WORLD.nfs.write(_here(), copies_dir(root) / LATEST, raw)


def _confirm_copy(root: Any, size: int) -> bool:
    path = copies_dir(root) / LATEST
    raw = WORLD.nfs.read(_here(), path)
    if raw is None or len(raw) != size:
        return False
    WORLD.nfs.write(_here(), path, raw)
    return True


class _Aftermath:
    """Nothing is said of simulated logs and memory."""

    def __init__(self, *_: object) -> None: ...

    def started(self, *_: object) -> None: ...

    def killed(self, *_: object) -> None: ...

    def notes(self, _key: object) -> list[str]:
        return []


class _Preparation:
    """Makes an attempt's folder on simulated NFS."""

    def __init__(self, layout: Any, holder: Any, *, last_look: Any) -> None:
        del last_look  # it looks each time
        self._layout, self._holder = layout, holder
        self._again: set[Any] = set()

    def expect(self, key: Any) -> None:
        self._again.add(key)

    def prepare(self, order: Any) -> Any:
        again = order.attempt in self._again
        return prepared(order, self._layout, self._holder, _here(), WORLD.nfs, again=again)


def _read_beats(layout: Any, machines: Any, now_s: Any, *, real: Any = nfs.read_beats) -> Any:
    return real(layout, sorted(machines), now_s)  # the order of a set is not the seed's


def _read_file(_root: Any, path: Any, _most_bytes: int, *, tail: bool = False) -> Found:
    return poisoned_results.read(WORLD, _here(), path)


@contextmanager
def seams(scripts: Any) -> Iterator[pytest.MonkeyPatch]:
    """Replace the edges; `WORLD` is to be set next."""
    replaced: list[tuple[Any, str, Any]] = [
        (mlq.store.operations, "scripts", scripts),
        (mlq.store.sending, "scripts", scripts),
        (mlq_worker.agent.machine_name, "read_beats", _read_beats),
        (mlq_worker.agent.memory, "CopierRole", _copying),
        (keeper, "pinned", roots.pinned),
        (keeper, "write_copy", _write_copy),
        (keeper, "confirm_copy", _confirm_copy),
        (mlq_worker.agent.nfs_reads, "read_progress", lambda *_: {}),
        (mlq_worker.agent.reaper_role, "read_beats", _read_beats),
        (nfs, "pinned", roots.pinned),
        (heartbeat, "pinned", roots.pinned),
        (queue_state, "pinned", roots.pinned),
        (queue_state, "largest_number", lambda _root: WORLD.nfs.largest_number(_here())),
        (nfs, "read_file", _read_file),
        (clock, "boottime", _boottime),
        (clock, "utc_now", _utc_now),
        (heartbeat, "boottime", _boottime),
        (result_writer, "boottime", _boottime),
        (spawner, "boottime", _boottime),
        (spawner, "utc_now", _utc_now),
        (loop, "note", _note),
        (listener, "note", _note),
        (result_writer, "note", _note),
        (loop, "WorkerListener", SimDoor),
        (loop, "Keeper", lambda _runtime: None),
        (loop, "LauncherProcess", lambda *_: WORLD.launch()),
        (loop, "select", _LOOP_SELECT),
        (processes, "look", _look),
        (processes, "look_at", _look_at),
        (processes, "mark_of", _mark_of),
        (processes, "os", _PROCESSES_OS),
        (notices, "manner_of", lambda _pid, _number: Manner(heeds=True)),
        (spawner, "os", _SPAWNER_OS),
        (spawner, "Pool", lambda _size: None),
        (spawner, "Aftermath", _Aftermath),
        (spawner, "Preparation", _Preparation),
        (outbox, "boottime", _boottime),
        (
            result_writer,
            "write_result",
            lambda one, layout, _: shelved(one, layout, _here(), WORLD.nfs),
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("mlq_worker"), "disabled", True)
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("mlq_worker."):
                patch.setattr(logging.getLogger(name), "disabled", True)
        for where, name, value in replaced:
            patch.setattr(where, name, value)
        yield patch
