"""Turns a worker into one of an allocation: its name, its folder, and what it may offer.

Several allocations may share a machine, and a machine its runtime folder; so each has a folder of
its own, named after it. It is deleted at the end, and those that killed allocations left are
deleted by the next one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from mlq.errors import UnsafePathError
from mlq.files.locks import is_locked
from mlq.files.paths import private_dir
from mlq.settings.settings import Settings
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.allocation.asking import ask, look
from mlq_worker.allocation.inside import Inside, inside
from mlq_worker.allocation.quota import quota_cores

_FOLDERS = "allocations"


def noticed(environ: Mapping[str, str], for_s: float | None) -> Inside | None:
    """Return the allocation around this process and what it grants; None if there is none.

    Args:
        environ: this process's variables.
        for_s: how long the worker may stay at most; None: as long as the allocation.
    """
    allocation = look(environ)
    if allocation is None:
        return None
    return inside(allocation, ask(allocation), quota_cores(), for_s)


def options_inside(options: WorkerOptions, found: Inside) -> WorkerOptions:
    """Return the options of a worker inside an allocation; what the user chose stays.

    Args:
        options: what the user asked for; `gpus` is "" if nothing was said of them.
        found: what is granted.
    """
    return options if options.gpus else replace(options, gpus=found.gpus)


@contextmanager
def settled(settings: Settings, found: Inside, name: str | None) -> Iterator[Settings]:
    """Give the worker its name and its runtime folder while the context lasts.

    Args:
        settings: of this installation.
        found: the allocation.
        name: what the user wants it to be called; None: after the allocation.

    Raises:
        UnsafePathError: the folder cannot be made, or is open to others.
    """
    machine = name or found.allocation.name
    folders = private_dir(private_dir(settings.runtime_dir) / _FOLDERS)
    for one in folders.iterdir():
        if one.name != machine:
            _delete_if_left(one)
    folder = private_dir(folders / machine)
    try:
        yield settings._replace(machine=machine, runtime_dir=folder)
    finally:
        _delete_if_left(folder)


def _delete_if_left(folder: Path) -> None:
    """Delete the folder of an allocation that no worker or supervisor lives in."""
    with suppress(OSError, UnsafePathError):
        locks = list(folder.glob("m/*/*.lock"))
        if locks and not any(is_locked(one) for one in locks):
            shutil.rmtree(folder, ignore_errors=True)
