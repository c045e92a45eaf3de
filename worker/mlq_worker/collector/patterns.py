"""The regexes of `--metric`, ready to be used.

They were checked when the job was enqueued, but perhaps by another version of Python. One that
cannot be used is left out, and one that never ends costs only the process that reads logs.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlq.errors import InvalidInputError
from mlq.jobs.metric_patterns import MOST_PATTERNS, compiled
from mlq_worker.collector.sources.logged import Pattern


def usable_patterns(patterns: Iterable[tuple[object, object]]) -> list[Pattern]:
    """Return those of these names and regexes that can be used, ready to be used."""
    usable = []
    for name, regex in patterns:
        if not isinstance(name, str) or not isinstance(regex, str):
            continue
        try:
            found, group = compiled(name, regex)
        except InvalidInputError:
            continue
        usable.append(Pattern(name, found, group))
        if len(usable) == MOST_PATTERNS:
            break
    return usable
