"""Gathers what the queue and the results root know about all machines, for the doctor."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from mlq.copies.keeper import LATEST, PREVIOUS, copies_dir
from mlq.files.layout import Layout
from mlq.settings.settings import Settings
from mlq.store import identity
from mlq.store.refused_names import RefusedName, refused_names
from mlq.store.store import Store
from mlq_cli.doctor.desk import ChatterFacts, chatter_of
from mlq_cli.doctor.look_queue import reached


@dataclass(frozen=True, slots=True)
class AsideFacts:
    """A machine that is set aside; `note` says why, and what it does now."""

    machine: str
    note: str


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """The copy of the unended jobs on the results root.

    Args:
        path: its path.
        age_s: its age; None: there is no copy.
        unended: how many jobs it should hold.
    """

    path: str
    age_s: float | None
    unended: int


@dataclass(frozen=True, slots=True)
class MachinesFacts:
    """Facts about the machines.

    Args:
        aside: the machines that are set aside.
        refused: the workers to which the queue refused their machine's name.
        chattering: the machines whose keyboard or mouse counts without being touched.
        copy: the copy of the jobs that have not ended; None: the results root is not mounted here.
    """

    aside: tuple[AsideFacts, ...] = ()
    refused: tuple[RefusedName, ...] = ()
    chattering: tuple[ChatterFacts, ...] = ()
    copy: CopyFacts | None = None


def machines(settings: Settings) -> MachinesFacts:
    """Look at what the queue knows about its machines, and at the copy.

    Raises:
        MlqError: the queue does not answer.
    """
    _, wire = reached(settings)
    store = Store(wire)
    if not identity.queue_id(wire):
        return MachinesFacts()
    aside, chattering = [], []
    for name, (heard_s, record) in sorted(store.reads.machines().items()):
        if heard_s <= settings.dead_s and (chatter := chatter_of(name, record)):
            chattering.append(chatter)
        told = record.get("aside")
        if isinstance(told, dict) and told.get("reason"):
            aside.append(AsideFacts(name, str(record.get("note") or told["reason"])))
    return MachinesFacts(
        tuple(aside), tuple(refused_names(store)), tuple(chattering), _copy(settings, store)
    )


def _copy(settings: Settings, store: Store) -> CopyFacts | None:
    _, root = identity.queue_and_root(store.client)
    if not root or not settings.root.is_dir():
        return None  # no worker has run yet, or the root is not mounted here
    unended = identity.unended(store.client)
    folder = copies_dir(Layout(settings.root))
    for name in (LATEST, PREVIOUS):
        with suppress(FileNotFoundError):
            made_s = (folder / name).stat().st_mtime
            return CopyFacts(str(folder / name), max(0.0, time.time() - made_s), unended)
    return CopyFacts(str(folder / LATEST), None, unended)
