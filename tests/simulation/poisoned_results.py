"""Jobs that write something else in the place of their result, and whose machine then loses power.

They have a source of chance of their own and befall one seed in ten, so that all other seeds go on
as they did. What became of such an attempt must be told, and must keep no other from its verdict.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from mlq.files.strict_files import Absent, Content, Found, Refused, Unreadable
from simulation.machine import Machine
from simulation.nfs import Nfs

if TYPE_CHECKING:
    from simulation.world import World

EVERY, OF = 10, 1
REASON = "its result.json is not a result: "
_LOOK_S = 7.0
_NO_FILE = b"\0"  # how content begins that stands for what is no file; what follows says what it is
RUBBISH: tuple[bytes, ...] = (
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"[" * 5000,
    b'{"outcome": 1e999}',
    _NO_FILE + b"is a named pipe",
    _NO_FILE + b"is a folder",
    _NO_FILE + b"is closed to its own user (mode 0000)",
)
CHANGES: tuple[dict[str, Any], ...] = (
    {"outcome": []},
    {"outcome": "won"},
    {"exit_code": {}},
    {"exit_code": 10**30},
    {"ended_at": -5},
    {"id": "999"},
    {"attempt": 99},
    {"reason": [1]},
)


def begin(world: World) -> None:
    """Let jobs of this seed write rubbish, if it is one of those."""
    if world.seed % EVERY == OF:
        _Poison(world).look()


def read(nfs: Nfs, machine: Machine, path: Path) -> Found:
    """Stand in for `read_file`, on simulated NFS."""
    try:
        data = nfs.read(machine, path)
    except OSError as error:
        return Unreadable(str(error))
    if data is None:
        return Absent()
    return Refused(data[1:].decode()) if data.startswith(_NO_FILE) else Content(data)


class _Poison:
    def __init__(self, world: World) -> None:
        self._world, self._rng = world, Random(f"{world.seed}/poisoned results")
        self._seen: set[tuple[str, int]] = set()

    def look(self) -> None:
        """Look at what runs, again and again while there are faults."""
        if self._world.faults.ended_at < self._world.engine.now:
            return
        for machine in self._world.machines:
            for process in list(machine.table.values()) if machine.on else ():
                if process.alive and process.job not in self._seen:
                    self._seen.add(process.job)
                    if self._rng.random() < 0.5:
                        self._write(machine, process.job)
        self._world.engine.after(_LOOK_S, self.look)

    def _write(self, machine: Machine, key: tuple[str, int]) -> None:
        path = self._world.layout.result_file(*key)
        self._world.nfs.put(machine, path, self._rubbish(key))
        self._world.truth.poisoned.add(key)
        self._world.engine.note(f"job {key[0]} attempt {key[1]} writes rubbish", machine.name)
        if self._rng.random() < 0.5:
            self._world.engine.after(self._rng.uniform(0.1, 20), partial(self._cut, machine))

    def _cut(self, machine: Machine) -> None:
        from simulation import machine_faults

        faults = self._world.faults
        if faults.ended_at > self._world.engine.now:
            lasts_s = self._rng.choice((20.0, 120.0, 400.0))
            machine_faults.lose_power(faults, machine, "power cut after rubbish", lasts_s)

    def _rubbish(self, key: tuple[str, int]) -> bytes:
        if self._rng.random() < 0.5:
            return self._rng.choice(RUBBISH)
        good = {
            "id": key[0],
            "attempt": key[1],
            "machine": "lab01",
            "boot_id": "",
            "outcome": "exited",
            "exit_code": 0,
            "signal": None,
            "reason": "",
            "started_at": None,
            "ended_at": "2026-11-23T22:15:01.123456Z",
        }
        return json.dumps({**good, **self._rng.choice(CHANGES)}).encode()
