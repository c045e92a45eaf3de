"""The columns of a table of results: what a typed word means, and the value of each cell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.metrics.grouping import Mean, mean_of
from mlq.metrics.member import Member, metrics_of, number_of, params_of
from mlq.metrics.naming import asked, meant

WORDS = ("id", "name", "state", "time", "machine", "attempt", "command", "members", "step")
"""What a table can show of every job besides its parameters and metrics."""

Value = str | int | float | Mean | None
Group = Sequence[Member]
"""Members that make up one row: one, or those that differ in what a mean is taken over."""


class Column(NamedTuple):
    """One column.

    Args:
        title: its name, unique in a table.
        kind: `word`, `param` or `metric`.
        name: one of `WORDS`, the parameter, or the full name of the metric.
        form: of a metric: `last`, `min` or `max`; "" for its value at the chosen step, else last.
    """

    title: str
    kind: str
    name: str
    form: str = ""

    @property
    def means(self) -> bool:
        """Whether its cells hold a mean where members are grouped."""
        return self.kind == "metric" or self.name in ("time", "step")


class Finder:
    """Finds the column that a word means.

    Args:
        members: all jobs of the table.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.params, self.metrics = params_of(members), metrics_of(members)

    def word(self, name: str) -> Column:
        """Return the column of one of `WORDS`."""
        return Column(f"job_{name}" if name in self.params else name, "word", name)

    def param(self, name: str) -> Column:
        """Return the column of a parameter."""
        return Column(name, "param", name)

    def metric(self, name: str, form: str = "") -> Column:
        """Return the column of a metric, by its full name."""
        taken = name in self.params or name in WORDS
        shown = form or ("last" if taken else "")
        return Column(f"{shown}:{name}" if shown else name, "metric", name, form)

    def asked_metric(self, word: str) -> Column:
        """Return the column of the metric that a word means.

        Raises:
            InvalidInputError: it means none, or several.
        """
        form, name = asked(word)
        if word in self.metrics:  # a name may itself begin with `min:`
            form, name = "", word
        return self.metric(meant(name, self.metrics), form)

    def column(self, word: str) -> Column:
        """Return the column that a word means: a parameter, one of `WORDS`, or a metric.

        Raises:
            InvalidInputError: it means none, or several.
        """
        if word in self.params:
            return self.param(word)
        if word in WORDS:
            return self.word(word)
        if word in self.metrics or asked(word).form:
            return self.asked_metric(word)
        every = [*self.params, *self.metrics]
        if not every:
            raise InvalidInputError(
                f"there is no column {word}",
                why="these jobs have neither parameters nor metrics yet",
                fix=f"there is {', '.join(WORDS)}",
            )
        name = meant(word, every, "parameter or metric")
        return self.param(name) if name in self.params else self.metric(name)


def value_of(member: Member, column: Column) -> Value:
    """Return a member's value; None if it has none."""
    if column.kind == "param":
        text = member.params.get(column.name)
        number = None if text is None else number_of(text)
        return text if number is None else number
    if column.kind == "metric":
        if not column.form and member.at is not None:
            return member.at.get(column.name)
        extent = member.metrics.get(column.name)
        return None if extent is None else getattr(extent, column.form or "last")
    return _of_job(member, column.name)


def _of_job(member: Member, word: str) -> Value:
    match word:
        case "time":
            return member.time_s
        case "step":
            return member.at_step
        case "members":
            return 1
        case "attempt":
            return member.attempt or None
    return str(getattr(member, word)) or None


def value_of_group(group: Group, column: Column, counting: Collection[str]) -> Value:
    """Return the value of members in one row: a mean, or what they have in common.

    Args:
        group: the members.
        column: which value.
        counting: the states whose members are taken into a mean.
    """
    if column.means:
        values = [value_of(one, column) for one in group if one.state in counting]
        found = [one for one in values if isinstance(one, int | float)]
        return mean_of(found, len(group)) if column.kind == "metric" or found else None
    if column.name == "members" and column.kind == "word":
        return len(group)
    every = list(dict.fromkeys(value_of(one, column) for one in group))
    if len(every) == 1:
        return every[0]
    if column.kind == "word" and column.name == "state":
        counts = Counter(one.state for one in group)
        return ", ".join(f"{number} {state}" for state, number in counts.most_common())
    if column.kind == "word" and column.name == "id":
        return f"{group[0].id} …"
    return None


def in_order(rows: Sequence[tuple[Group, Value]], *, descending: bool) -> list[Group]:
    """Return groups in the order of a value; those without one, and NaN, come last either way."""
    keyed = [(_key(value), group) for group, value in rows]
    known = sorted(
        (one for one in keyed if one[0] is not None),
        key=lambda one: one[0] or (0, 0.0, ""),
        reverse=descending,
    )
    return [group for _, group in (*known, *(one for one in keyed if one[0] is None))]


def _key(value: Value) -> tuple[int, float, str] | None:
    """Return what to sort by: numbers before texts; None for what comes last."""
    number = value.mean if isinstance(value, Mean) else value
    if number is None or (isinstance(number, float) and math.isnan(number)):
        return None
    return (1, 0.0, number) if isinstance(number, str) else (0, number, "")
