"""The regexes of `--metric` as a job's `job.json` has them.

Neither the file nor the regexes are trusted: a job can write there. What is none is left out, and a
regex that never ends costs only the process that reads logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from mlq.errors import InvalidInputError
from mlq.jobs.metric_patterns import MOST_PATTERNS, compiled
from mlq_worker.collector.sources.logged import Pattern


def patterns_of(job_json: bytes) -> tuple[tuple[str, str], ...]:
    """Return name and regex of each metric that a `job.json` asks for; () if it is damaged."""
    try:
        metrics = json.loads(job_json)["spec"].get("metrics", {})
        found = list(metrics.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()
    usable = usable_patterns(found)
    return tuple((one.name, one.regex.pattern) for one in usable)


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
