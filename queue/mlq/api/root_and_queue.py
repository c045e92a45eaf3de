"""Whether the queue that answers and the results root here belong together, for people to see.

Workers check this themselves each time it matters. This module is for commands: they can say what
an emptied or another queue cannot, that machines run jobs which it does not know.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from mlq.errors import OtherQueueError
from mlq.files.layout import Layout
from mlq.files.root import Owner, WrongRootError, pinned, read_owner
from mlq.files.strict_files import BEAT_BYTES, Content, read_file
from mlq.store.client import Client
from mlq.store.identity import queue_and_root
from mlq.store.sending import other_queue
from mlq.threads import run_at_most

_PATIENCE_S = 2.0


class Pair(NamedTuple):
    """A queue and a folder.

    Args:
        queue_id: of the queue that answers; "" if it has none.
        known_root: the results root that the queue was given; "" if none yet.
        owner: the queue that the folder here belongs to; None if it has no queue.json.
        trouble: why the folder could not be checked; "" if it could.
        running: machine -> ids of the jobs that its last beat in the folder names.
    """

    queue_id: str
    known_root: str
    owner: Owner | None
    trouble: str
    running: dict[str, tuple[str, ...]]

    @property
    def other(self) -> OtherQueueError | None:
        """What is wrong if the folder is the root of a queue other than the one that answers."""
        if self.owner is None or self.owner.queue_id == self.queue_id:
            return None
        plain = other_queue(self.queue_id)
        why = f"{plain.why}, and the root" if plain.why else "the root"
        return type(plain)(
            plain.what, why=f"{why} belongs to queue {self.owner.queue_id}", fix=plain.fix
        )


def look(client: Client, layout: Layout) -> Pair:
    """Check both; a folder that does not answer in time counts as one that could not be checked."""
    queue_id, root = queue_and_root(client)
    found = [Pair(queue_id, root, None, f"{layout.root} does not answer", {})]

    def read() -> None:
        try:
            with pinned(Layout(layout.root)) as here:
                owner = read_owner(here.root)
                other = owner is not None and owner.queue_id != queue_id
                found.append(Pair(queue_id, root, owner, "", _running(here) if other else {}))
        except WrongRootError as error:
            found.append(Pair(queue_id, root, None, str(error.strerror), {}))
        except OSError as error:
            trouble = f"{layout.root}: {error.strerror or error}"
            found.append(Pair(queue_id, root, None, trouble, {}))

    # NFS may hang: then the thread is left behind.
    run_at_most(_PATIENCE_S, read, "root")
    return found[-1]


def _running(root: Layout) -> dict[str, tuple[str, ...]]:
    running = {}
    for path in sorted(root.workers_dir.glob("*.beat")):
        beat = read_file(root.root, path, BEAT_BYTES)
        try:
            attempts = json.loads(beat.data)["attempts"] if isinstance(beat, Content) else ()
            ids = tuple(str(one[0]) for one in attempts)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            continue
        if ids:
            running[path.stem] = ids
    return running
