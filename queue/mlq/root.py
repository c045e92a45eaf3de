"""Which queue a results root belongs to.

Two queues on one root would write into each other's jobs, since both count from 1. So the first
worker of a queue leaves the queue's id in the root, and a worker of another queue is refused. And
a queue that was restored from an old copy goes on counting above the jobs that lie in the root.

Who can write in the root can put other folders in the place of ours: results, and the mlq that
machines run. So it has to be ours alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlq.errors import StorageError
from mlq.layout import Layout, read_listed
from mlq.paths import check_ours_alone, make_private_dirs

FORMAT = 1


def claim_root(layout: Layout, queue_id: str) -> None:
    """Make the root if need be, and make sure that it is this queue's and can be written.

    Raises:
        StorageError: it cannot be written, or belongs to another queue or a newer mlq.
        UnsafePathError: it is open to others.
    """
    try:
        for folder in (layout.root, layout.workers_dir, layout.jobs_dir):
            make_private_dirs(folder)
        check_ours_alone(layout.root)
        found = read_listed(layout.queue_file)
        if found is None:
            _write_once(layout.queue_file, {"queue": queue_id, "format": FORMAT})
            found = read_listed(layout.queue_file)
        _probe(layout.workers_dir)
    except OSError as error:
        raise StorageError(
            f"the results root {layout.root} cannot be used",
            why=error.strerror or str(error),
            fix="choose another with MLQ_ROOT, or make room there",
        ) from None
    _check(layout, found, queue_id)


def largest_number(layout: Layout) -> int:
    """Return the largest job number that has a folder in the root, 0 if there is none."""
    numbers = (int(name) for name in os.listdir(layout.jobs_dir) if name.isdecimal())  # noqa: PTH208
    return max(numbers, default=0)


def _check(layout: Layout, found: bytes | None, queue_id: str) -> None:
    try:
        owner = json.loads(found or b"")
        its_queue, its_format = owner["queue"], owner["format"]
    except (ValueError, KeyError, TypeError):
        raise StorageError(f"{layout.queue_file} cannot be read", why="it is damaged") from None
    if its_queue != queue_id:
        raise StorageError(
            f"the results root {layout.root} belongs to another queue",
            why=f"it says {its_queue}, this queue is {queue_id}",
            fix="give each queue a root of its own (MLQ_ROOT)",
        )
    if its_format > FORMAT:
        raise StorageError(
            f"the results root {layout.root} was written by a newer mlq", fix="update mlq here"
        )


def _write_once(path: Path, value: dict[str, object]) -> None:
    # A link fails where a rename would replace: of two first workers one wins.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.chmod(0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _probe(folder: Path) -> None:
    probe = folder / f".probe.{os.getpid()}"
    probe.write_bytes(b"\0" * 4096)
    probe.unlink()
