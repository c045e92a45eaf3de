"""The pools of pilots in the queue: read whole, and changed only if nobody else has meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlq.store.operations import Operation

if TYPE_CHECKING:
    from mlq.store.store import Store


class StoredPools(NamedTuple):
    """The texts of all pools by id (`mlq.pilots.pool`), and unix time by the queue's clock."""

    texts: dict[str, str]
    now_s: float


def read_pools(store: Store) -> StoredPools:
    """Return all pools."""
    (reply,) = store.runner.run(Operation("pilots", {}))
    flat = reply["pools"] or []
    return StoredPools(dict(zip(flat[::2], flat[1::2], strict=True)), float(reply["now_s"]))


def keep_pool(store: Store, pool: str, was: str, text: str) -> bool:
    """Store a pool if its text is still `was`; return whether it was.

    Args:
        store: the queue.
        pool: its id.
        was: its text as it was read, "" for a new one.
        text: its text from now on, "" to forget it.
    """
    args = {"pool": pool, "was": was, "text": text}
    (reply,) = store.runner.run(Operation("keep_pilots", args))
    return bool(reply["kept"])
