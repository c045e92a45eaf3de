"""The store tests' fixtures live beside the other test support."""

from store_fixtures import enqueue, store

__all__ = ["enqueue", "store"]
