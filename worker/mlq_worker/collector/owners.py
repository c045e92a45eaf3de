"""Decides which source a metric is taken from, so that none is counted twice.

A metric belongs to the source that told it first, the more exact one if two tell it at the same
look, and stays with it: no curve changes the unit of its steps. With one exception: a more exact
source takes it over, with all that was told of it, if at its first word it tells more than was told
in all. A script prints its final values, and the whole table reaches the disk after that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mlq.metrics.series import MOST_METRICS, Point, is_metric_name
from mlq_worker.collector import kept_state as kept

SOURCES = ("report", "metric", "table", "events", "log", "state", "summary")
"""The more exact first."""


class _Owner(NamedTuple):
    source: str
    told: int


class Owners:
    """The owner of each metric of one attempt.

    Args:
        state: what `state` returned, of a reader that goes on where an earlier one stopped.

    Raises:
        ValueError: the state is none.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._owners: dict[str, _Owner] = {}
        for name, raw in kept.by_name(state.get("owners", {})).items():
            source, told = kept.values(raw, 2)
            self._owners[name] = _Owner(_known(source), kept.whole(told))
        passed = kept.by_name(state.get("passed", {}))
        self._passed = {name: set(map(_known, kept.texts(raw))) for name, raw in passed.items()}

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "owners": {name: list(one) for name, one in self._owners.items()},
            "passed": {name: sorted(sources) for name, sources in self._passed.items()},
        }

    def owner(self, name: str) -> str | None:
        """Return the source that a metric belongs to; None if to none yet."""
        found = self._owners.get(name)
        return None if found is None else found.source

    def take(self, source: str, points: Sequence[Point]) -> tuple[list[Point], set[str]]:
        """Return what a source tells of its own metrics, and which of them it takes over now.

        Args:
            source: one of `SOURCES`; within a look the more exact one comes first.
            points: all that it tells now.
        """
        counts = Counter(name for point in points for name in point.values)
        taken = {name for name, count in counts.items() if self._claims(name, source, count)}
        found = []
        for point in points:
            values = point.values
            own = {name: values[name] for name in values if self.owner(name) == source}
            if own:
                found.append(point if len(own) == len(values) else point._replace(values=own))
        return found, taken

    def _claims(self, name: str, source: str, count: int) -> bool:
        """Note that a source tells a metric; return whether it takes it from another one."""
        owner = self._owners.get(name)
        if owner is None:
            if len(self._owners) < MOST_METRICS and is_metric_name(name):
                self._owners[name] = _Owner(source, count)
            return False
        if owner.source == source:
            self._owners[name] = _Owner(source, owner.told + count)
            return False
        passed = self._passed.setdefault(name, set())
        is_first = source not in passed
        passed.add(source)
        is_more_exact = SOURCES.index(source) < SOURCES.index(owner.source)
        if not (is_first and is_more_exact and count > owner.told):
            return False
        self._owners[name] = _Owner(source, count)
        return True


ALL_OF_IT = -math.inf
"""The step from which on what was told of a metric counts no more, if none of it does."""


def _known(raw: object) -> str:
    source = kept.text(raw)
    if source not in SOURCES:
        raise ValueError("is no source")
    return source
