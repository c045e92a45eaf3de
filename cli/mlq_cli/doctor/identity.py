"""Checks that queue and results root belong together, and reports what the worker here says."""

from __future__ import annotations

from collections.abc import Iterator

from mlq.api.root_and_queue import Pair
from mlq.api.root_and_queue import look as look_at_both
from mlq.files.mounts import network_file_system
from mlq.settings.settings import Settings
from mlq.store.identity import machine_record
from mlq_cli.doctor.check import Check, of_error, ok, problem, warning
from mlq_cli.doctor.look_queue import reached


def examine(settings: Settings) -> Iterator[Check]:
    """Look at both and judge; yield nothing without a queue or a root: other checks report that."""
    from mlq.files.layout import Layout

    if not settings.root.is_dir():
        return
    _, wire = reached(settings)
    pair = look_at_both(wire, Layout(settings.root))
    kind = network_file_system(settings.root) or "a local disk"
    yield from judge(pair, str(settings.root), kind, needed=not settings.is_remote)
    said = machine_record(wire, settings.machine)
    if said.get("condition"):
        yield warning("worker", str(said["condition"]), "`mlq worker status` here tells more")


def judge(pair: Pair, root: str, kind: str, *, needed: bool) -> Iterator[Check]:
    """Judge a queue and a folder.

    Args:
        pair: what was found.
        root: the folder.
        kind: its file system, in words.
        needed: whether jobs or the server are to run on this machine.
    """
    if pair.other:
        yield of_error("queue's data", pair.other)
    elif pair.trouble:
        yield problem("queue's root", pair.trouble, "does the file server answer?")
    elif pair.owner is None and pair.known_root:
        says = f"{root} ({kind}) has no queue.json: it is not the results root of this queue"
        remedy = f"is the share mounted? The queue's first worker had it at {pair.known_root}"
        yield (
            problem("queue's root", says, remedy)
            if needed
            else warning("queue's root", says, remedy)
        )
    elif pair.owner is not None:
        yield ok("queue's root", f"{root} is the root of this queue, {pair.queue_id}")
