"""The store tests' fixtures live beside the other test support."""

from store_fixtures import admin, enqueue, queue, store

__all__ = ["admin", "enqueue", "queue", "store"]
