"""Reports what jobs or other programs left that mlq works around: refused moves, odd folders."""

from __future__ import annotations

from collections.abc import Iterator

from mlq.errors import MlqError
from mlq.files.layout import Layout
from mlq.files.root import absurd_folders
from mlq.settings.settings import Settings
from mlq_cli.doctor.check import Check, warning
from mlq_cli.doctor.look_queue import reached

_SHOWN = 5


def examine_moves(settings: Settings) -> Iterator[Check]:
    """Look at the moves that the queue refuses, as the machines reported them."""
    from mlq.store.store import Store

    try:
        _, wire = reached(settings)
        machines = sorted(Store(wire).reads.machines().items())
    except MlqError:
        return  # the check of the queue reports the reason
    for machine, (_, record) in machines:
        if record.get("refused_moves"):
            says = f"{machine}: {record['refused_moves']}"
            yield warning("moves", says, "is a key of the queue not of its kind? It is tried again")


def examine_folders(settings: Settings) -> Iterator[Check]:
    """Look for folders that look like folders of jobs, but belong to no job."""
    layout = Layout(settings.root)
    if not layout.jobs_dir.is_dir():
        return
    found = absurd_folders(layout)
    if found:
        shown = ", ".join(found[:_SHOWN]) + (" and more" if len(found) > _SHOWN else "")
        says = f"no job has had these in {layout.jobs_dir}: {shown}"
        yield warning("folders", says, "they count as nothing; remove them")
