"""Holds every store test to the headers of the scripts; other fixtures lie in the test support."""

from __future__ import annotations

from typing import Any

import pytest
from script_headers import CheckedReply, check_call
from store_fixtures import admin, enqueue, queue, store

from mlq.store.operations import Operation
from mlq.store.sending import ScriptRunner

__all__ = ["admin", "enqueue", "queue", "store"]


@pytest.fixture(autouse=True)
def _check_against_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ScriptRunner.run

    def run(self: ScriptRunner, *operations: Operation, then: tuple[str | int, ...] = ()) -> Any:
        for one in operations:
            check_call(one)
        replies = real(self, *operations, then=then)
        read = [
            CheckedReply(one.name, reply) for one, reply in zip(operations, replies, strict=False)
        ]
        return [*read, *replies[len(read) :]]

    monkeypatch.setattr(ScriptRunner, "run", run)
