"""Explaining is compared with claiming, which needs a real server."""

from store_fixtures import enqueue, queue, store

__all__ = ["enqueue", "queue", "store"]
