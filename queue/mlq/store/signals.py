"""Signals for running jobs: kept at the job until the supervisor of its attempt has obeyed them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlq.store.operations import Operation

if TYPE_CHECKING:
    from mlq.jobs.signals import Whom
    from mlq.store.store import Store

_SLICE = 200


class AskedToSignal(NamedTuple):
    """Which running jobs will get the signal, and which have too many signals on the way."""

    asked: list[str]
    full: list[str]


def ask_to_signal(store: Store, ids: Sequence[str], number: int, whom: Whom) -> AskedToSignal:
    """Ask the workers of these jobs to send their present attempts a signal, each once."""
    asked: list[str] = []
    full: list[str] = []
    for start in range(0, len(ids), _SLICE):
        args = {"ids": list(ids[start : start + _SLICE]), "number": number, "whom": str(whom)}
        (reply,) = store.runner.run(Operation("ask_to_signal", args))
        asked += reply["asked"] or ()
        full += reply["full"] or ()
    return AskedToSignal(asked, full)
