"""Where the real code meets the simulated world: names replaced for the length of a seed.

Nothing in the product knows of this. Each replaced name is an edge: a clock, a process, a file, a
socket, a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
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
from simulation import poisoned_results, roots

WORLD: Any = None


def _here() -> Any:
    return WORLD.engine.here


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
        (queue_state, "pinned", roots.pinned),
        (queue_state, "largest_number", lambda _root: WORLD.nfs.largest_number(_here())),
        (nfs, "read_file", _read_file),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("mlq_worker"), "disabled", True)
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("mlq_worker."):
                patch.setattr(logging.getLogger(name), "disabled", True)
        for where, name, value in replaced:
            patch.setattr(where, name, value)
        yield patch
