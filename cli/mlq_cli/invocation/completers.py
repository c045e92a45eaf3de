"""Completes words for the shell when the user presses the Tab key.

Completion runs while the user types: it must answer fast or not at all, and must not print errors,
because a message would appear in the middle of the line being typed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from mlq.errors import MlqError
from mlq.settings.load import load

_MOST = 500
_ANSWER_S = 1.0
_DAY_S = 86400


def complete_jobs(prefix: str, **_context: Any) -> list[str]:
    """Return the ids and names with this prefix of the jobs and sweeps that `mlq ls` shows."""
    before, comma, begun = prefix.rpartition(",")
    try:
        words = [word for word in _job_words() if word.startswith(begun)]
    except (MlqError, OSError, ValueError):
        return []
    return [f"{before}{comma}{word}" for word in dict.fromkeys(words)]


def complete_states(prefix: str, **_context: Any) -> list[str]:
    """Return the states with this prefix; of a list with commas, complete the last state."""
    from mlq.api.selecting import STATES

    before, comma, begun = prefix.rpartition(",")
    return [f"{before}{comma}{one}" for one in STATES if one.startswith(begun)]


def _job_words() -> Iterator[str]:
    from mlq.ids import is_valid_id
    from mlq_cli.invocation.session import open_store
    from mlq_cli.render.clean import clean

    store = open_store(load(os.environ).settings, timeout_s=_ANSWER_S)
    seen = store.reads.glance(("status", "mlq_name"), time.time() - _DAY_S, _MOST)
    found = [(str(one.number), one.name) for one in seen.sweeps]
    found += [(job_id, name) for job_id, _state, name in seen.rows]
    for job_id, name in found[: 2 * _MOST]:
        yield from (job_id,) if is_valid_id(job_id) else ()
        if name and clean(name) == name:
            yield name
