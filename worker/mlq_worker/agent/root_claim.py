"""Which queue a worker belongs to, and that its results root is that queue's.

A queue's id is made once, and so is its root: by the first worker, if neither the queue nor the
folder has an id. The queue's own comes first, then `queue.json`, then the queue's memory that it
has a root; so a first worker that died between them is simply followed by another, and a queue
that has a root is never given an empty folder for it.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from mlq.errors import EmptiedQueueError, StorageError
from mlq.files.layout import Layout
from mlq.files.root import claim_root, read_owner
from mlq.store import identity
from mlq.store.client import Client


def belong(client: Client, root: Path) -> str:
    """Return the id of the queue that answers, after its results root was claimed.

    Raises:
        StorageError: the root cannot be used, or is not the queue's.
        EmptiedQueueError: the root has a queue, and the queue that answers has no data.
        UnsafePathError: the root is open to others.
    """
    try:
        return _belong(client, root)
    except (EmptiedQueueError, StorageError):
        # Another first worker may have been half-way: what it does is done in this order.
        return _belong(client, root)


def _belong(client: Client, root: Path) -> str:
    queue_id, known_root = identity.queue_and_root(client)
    with suppress(OSError):  # told by claim_root
        if not queue_id and read_owner(root) is None:
            queue_id = identity.make_queue(client, secrets.token_hex(8))
    claim_root(Layout(root), queue_id, known_root)
    if not known_root:
        identity.give_root(client, str(root))
    return queue_id
