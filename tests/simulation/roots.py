"""Whose folder lies where a machine has the results root: the queue's own, or another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlq.files.layout import Layout
from mlq.files.root import WrongRootError


@contextmanager
def pinned(layout: Layout) -> Iterator[Layout]:
    """Stand in for `mlq.files.root.pinned`, on simulated NFS."""
    from simulation import seams

    world: Any = seams.WORLD
    machine = world.engine.here
    if layout.queue_id and machine.view.is_other(world.engine.now):
        raise WrongRootError("simulated: it has no queue.json")
    yield layout
