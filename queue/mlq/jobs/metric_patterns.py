"""Metrics that a user has read from the log: `--metric 'acc=accuracy ([0-9.]+)'`.

They are checked when the job is enqueued, so that the user who makes a mistake sees the error. What
a regex matches is found out by the process that reads the logs, and by it alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlq.errors import InvalidInputError
from mlq.metrics.series import LONGEST_NAME, is_metric_name

MOST_PATTERNS = 20
LONGEST_PATTERN = 500

_EXAMPLE = "write for example --metric 'acc=accuracy ([0-9.]+)'"


def compiled(name: str, regex: str) -> tuple[re.Pattern[str], str | int]:
    """Return a regex, and the group that holds the value: `value`, else the only one.

    Raises:
        InvalidInputError: it cannot be used; the message says why.
    """
    shown = f"--metric {name}={regex}"
    if not is_metric_name(name):
        raise InvalidInputError(
            f"{shown[:200]!r} names no metric",
            why=f"a name has 1 to {LONGEST_NAME} characters, all of which can be shown",
            fix=_EXAMPLE,
        )
    if len(regex) > LONGEST_PATTERN:
        raise InvalidInputError(
            f"the regex of --metric {name} is too long",
            why=f"it has {len(regex)} characters, and {LONGEST_PATTERN} is the most",
        )
    try:
        found = re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInputError(
            f"{shown} cannot be used", why=f"the regex is invalid: {error}", fix=_EXAMPLE
        ) from None
    if "value" in found.groupindex:
        return found, "value"
    if found.groups != 1:
        raise InvalidInputError(
            f"{shown} cannot be used",
            why=f"the regex has {found.groups} groups, and the value is the text of exactly one",
            fix="put (...) around the value alone; (?:...) groups without counting, and"
            " (?P<value>...) names the value among several",
        )
    return found, 1


def check_patterns(metrics: Mapping[str, str]) -> None:
    """Check the regexes of a job; raise InvalidInputError if one cannot be used."""
    if len(metrics) > MOST_PATTERNS:
        raise InvalidInputError(
            f"{len(metrics)} metrics are too many",
            why=f"--metric can be given {MOST_PATTERNS} times",
        )
    for name, regex in metrics.items():
        compiled(name, regex)


def parse_patterns(typed: Sequence[str]) -> dict[str, str]:
    """Return what `--metric NAME=REGEX` says, each time that it was given.

    Raises:
        InvalidInputError: one cannot be read, or two have the same name.
    """
    found: dict[str, str] = {}
    for one in typed:
        name, assigned, regex = one.partition("=")
        if not assigned or not regex:
            raise InvalidInputError(
                f"--metric {one!r} cannot be read", why="it is no NAME=REGEX", fix=_EXAMPLE
            )
        if name in found:
            raise InvalidInputError(f"--metric {name} is given twice", fix="give each another name")
        found[name] = regex
    check_patterns(found)
    return found
