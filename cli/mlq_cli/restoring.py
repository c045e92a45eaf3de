"""`mlq server restore`: makes a queue anew from its results root, once its server has lost it.

It first reads and shows everything, and changes nothing before the user at the terminal agrees.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mlq.copies.keeper import FoundCopy, find_copy, root_of_queue
from mlq.errors import InvalidInputError, LostDataError, ServerError
from mlq.files.layout import Layout
from mlq.jobs.signing import load_key
from mlq.server import control as server
from mlq.server.files import ServerFiles
from mlq.server.status import connect
from mlq.settings.settings import Settings
from mlq.store import identity
from mlq.store.connection import open_client
from mlq.store.store import Store
from mlq_cli.invocation.prompts import Asker
from mlq_cli.invocation.session import print_json, print_lines, say
from mlq_cli.render.progress import Progress
from mlq_cli.render.words import count, elapsed
from mlq_worker.agent.history import Patience
from mlq_worker.rebuild.carry_out import Restored, add_missing, carry_out, only_missing
from mlq_worker.rebuild.plan import Plan, Terms, plan
from mlq_worker.rebuild.survey import look_at

_SHOWN = 20  # how many of the things that are left out are listed
_REDRAWN_EVERY = 100


def restore(settings: Settings, *, dry_run: bool, agreed: bool, as_json: bool) -> int:
    """Look, ask, and make the queue anew; or, if the queue exists, add the jobs that it lacks.

    Args:
        settings: of this installation.
        dry_run: only look.
        agreed: do not ask.
        as_json: print for programs.

    Raises:
        ServerError: the server holds another queue.
        StorageError: the results root cannot be read, or belongs to no queue.
    """
    layout = root_of_queue(settings.root)
    key = load_key(settings.key_file)
    copy, made = _planned(settings, layout, key)
    holds = _held(settings, layout.queue_id)
    if holds is not None:
        made = only_missing(_open(settings), made)
        if not made.jobs:
            says = f"the queue's server holds this queue, {count(holds, 'job')}: nothing to restore"
            told = {"queue": layout.queue_id, "restored": False, "jobs": holds}
            _print([told], [says], as_json=as_json)
            return 0
    if not as_json or not (agreed or dry_run):
        print_lines(_findings(settings, layout.queue_id, copy, made, holds))
    restored = None
    if not dry_run:
        if not agreed and not _agrees(holds):
            say("nothing was touched")
            return 1
        restored = _carry_out(settings, layout, made, key)
    told = _as_json(settings, layout.queue_id, copy, made, restored)
    _print([told], [] if restored is None else _done(restored), as_json=as_json)
    return 0


def _planned(settings: Settings, layout: Layout, key: bytes) -> tuple[FoundCopy | None, Plan]:
    trouble: list[str] = []
    copy = find_copy(layout, trouble.append)
    if copy is not None and copy.copy.header.queue != layout.queue_id:
        trouble.append(f"{copy.path}: it is of another queue, {copy.copy.header.queue}")
        copy = None
    with _shown("reading") as progress:
        found = look_at(layout, progress)
    terms = Terms(key, time.time(), Patience.of(settings), settings.keep_days)
    made = plan(None if copy is None else copy.copy, found, terms)
    made.left_out[:0] = trouble
    return copy, made


def _carry_out(settings: Settings, layout: Layout, made: Plan, key: bytes) -> Restored:
    if _held(settings, layout.queue_id) is None:
        _start(settings)
    with _shown("restoring") as progress:
        store = _open(settings)
        if not identity.queue_id(store.client):
            return carry_out(store, layout, made, key, settings.dead_s, progress)
        return add_missing(store, only_missing(store, made))


def _start(settings: Settings) -> None:
    """Start the server: on its data if they are whole or half restored, else without data.

    Damaged data are set aside and not deleted.
    """
    try:
        server.start(settings, say=say)
    except LostDataError:
        pass
    else:
        return
    with suppress(LostDataError):
        server.start(settings, accept_loss=True, say=say)
        if not identity.queue_id(_open(settings).client):
            return
        # The data are only part of a queue: the results root knows more.
        server.stop(settings)
    server.start(settings, afresh=True, say=say)


def _open(settings: Settings) -> Store:
    return Store(open_client(settings))


def _held(settings: Settings, wanted: str) -> int | None:
    """Return how many jobs of this queue the server has; None if it has no queue or is away."""
    if not ServerFiles(settings.server_dir).is_running():
        return None
    client = connect(settings)
    try:
        found = identity.totals(client)
    finally:
        client.close()
    if not found.queue_id:
        return None
    if found.queue_id != wanted:
        raise ServerError(
            "the queue's server holds another queue than the results root",
            why=f"it holds {found.queue_id}, {settings.root} belongs to {wanted}",
            fix="are server_dir and MLQ_ROOT of the same queue? See `mlq config`",
        )
    return found.jobs


def _agrees(holds: int | None) -> bool:
    if not sys.stdin.isatty():
        raise InvalidInputError(
            "there is no terminal to ask on", fix="say `mlq server restore --yes` if it is right"
        )
    return Asker(wanted=True).yes(
        "make the queue anew from this" if holds is None else "add these jobs to the queue"
    )


@contextmanager
def _shown(doing: str) -> Iterator[Callable[[int, int], None]]:
    with Progress() as progress:

        def show(done: int, of: int) -> None:
            if done == of or not done % _REDRAWN_EVERY:
                progress.show({doing: f"{done} of {count(of, 'job')}"})

        yield show


def _findings(
    settings: Settings, queue_id: str, copy: FoundCopy | None, made: Plan, holds: int | None
) -> Iterator[str]:
    yield f"{settings.root} belongs to queue {queue_id}"
    if holds is not None:
        yield f"its server holds {count(holds, 'job')}, and does not know these:"
    for label, text in _facts(copy, made):
        yield f"  {label:<11}{text}"
    for one in made.left_out[:_SHOWN]:
        yield f"  left out   {one}"
    if len(made.left_out) > _SHOWN:
        yield f"  left out   and {len(made.left_out) - _SHOWN} more"


def _facts(copy: FoundCopy | None, made: Plan) -> Iterator[tuple[str, str]]:
    if copy is None:
        yield "copy", "none that can be read: jobs that never started are lost"
    else:
        header = copy.copy.header
        yield (
            "copy",
            (
                f"as of {elapsed(time.time() - copy.made_s)} ago, by {header.machine}: "
                f"{count(header.jobs, 'job')} that had not ended"
            ),
        )
        yield "not in it", "what was enqueued or canceled later and never started"
    states = ", ".join(f"{number} {state}" for state, number in made.count().items())
    yield "jobs", states or "none"
    if made.forgotten:
        yield "older", f"{count(made.forgotten, 'job')} ended too long ago to be listed (keep_days)"
    yield "numbers", f"go on after {made.high}"


def _done(restored: Restored) -> Iterator[str]:
    for old, new in restored.renumbered.items():
        yield f"job {old}, enqueued meanwhile, is job {new} now"
    yield f"the queue is there again: {count(restored.jobs, 'job')}"
    if restored.pause_s:
        yield (
            "  jobs that run are adopted now; the next ones start in "
            f"{restored.pause_s:.0f} s, when each machine has told what it runs"
        )


def _as_json(
    settings: Settings, queue_id: str, copy: FoundCopy | None, made: Plan, restored: Restored | None
) -> dict[str, Any]:
    return {
        "queue": queue_id,
        "root": str(settings.root),
        "copy": None if copy is None else str(copy.path),
        "copy_age_s": None if copy is None else round(time.time() - copy.made_s, 1),
        "found": made.count(),
        "last_number": made.high,
        "forgotten": made.forgotten,
        "left_out": made.left_out if restored is None else restored.left_out,
        "restored": restored is not None,
        "jobs": None if restored is None else restored.jobs,
        "renumbered": {} if restored is None else restored.renumbered,
        "pause_s": None if restored is None else round(restored.pause_s, 1),
    }


def _print(objects: list[dict[str, Any]], lines: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(objects)
    else:
        print_lines(lines)
