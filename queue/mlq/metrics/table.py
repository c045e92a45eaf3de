"""A table of results: which rows and columns it has, in which order. Pure.

`mlq results`, `queue.results` and the `results.csv` that `mlq pull` writes are made of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from mlq.errors import InvalidInputError
from mlq.ids import order_key
from mlq.metrics.columns import (
    Column,
    Finder,
    Group,
    Value,
    in_order,
    value_of,
    value_of_group,
)
from mlq.metrics.grouping import Mean, grouped
from mlq.metrics.member import Member, varying

FINISHED = frozenset({"finished"})
"""The states whose members count, unless a user names others; the word is `mlq.jobs.lifecycle`'s,
which depends on this room."""


class Table(NamedTuple):
    """A table.

    Args:
        groups: its rows: one member each, or those that a mean is taken over.
        columns: its columns.
        told: parameters in the order in which they were enqueued.
        over: the parameters over which means are taken; none: a row is a member.
        counting: the states whose members are taken into a mean.
        keys: the columns by which it is ordered, or whose step was chosen.
    """

    groups: Sequence[Group]
    columns: Sequence[Column]
    told: Sequence[str] = ()
    over: Sequence[str] = ()
    counting: Collection[str] = FINISHED
    keys: Sequence[Column] = ()

    @property
    def members(self) -> list[Member]:
        """All jobs, by row."""
        return [one for group in self.groups for one in group]

    def values(self, column: Column) -> list[Value]:
        """Return the values of a column, by row."""
        if self.over:
            return [value_of_group(group, column, self.counting) for group in self.groups]
        return [value_of(group[0], column) for group in self.groups]

    def with_means(self, over: Sequence[str]) -> Table:
        """Return the table with one row for all members that differ in these parameters only.

        Raises:
            InvalidInputError: no member has such a parameter.
        """
        groups = grouped(self.groups, over)
        table = new_table(groups, self.told, over, self.counting)
        return table._replace(keys=self.keys)

    def ordered(self, keys: Iterable[str]) -> Table:
        """Return the table in another order.

        Args:
            keys: columns, the most important first; a `-` before one: largest first. A metric in a
                form that the table does not show becomes a column.

        Raises:
            InvalidInputError: there is no such column.
        """
        finder = Finder(self.members)
        groups, added, by = list(self.groups), list[Column](), list(self.keys)
        for key in reversed(list(keys)):
            word = key[1:] if key[:1] in ("-", "+") else key
            if not self.groups:
                break
            column = finder.column(word)
            by.append(column)
            if column.kind == "metric" and column not in self.columns:
                added.insert(0, column)
            values = self._replace(groups=groups).values(column)
            pairs = list(zip(groups, values, strict=True))
            groups = in_order(pairs, descending=key.startswith("-"))
        columns = [*self.columns, *dict.fromkeys(added)]
        return self._replace(groups=groups, columns=columns, keys=by)

    def showing(self, words: Sequence[str]) -> Table:
        """Return the table with other columns.

        Args:
            words: the columns; or columns to add to the present ones, each with a `+` before it.

        Raises:
            InvalidInputError: there is no such column, or only some words begin with `+`.
        """
        more = [word.startswith("+") for word in words]
        if any(more) and not all(more):
            raise InvalidInputError(
                f"{','.join(words)}: only some of these columns begin with +",
                why="with + they are added to the usual ones, without they replace them",
            )
        finder = Finder(self.members)
        chosen = [finder.column(word.removeprefix("+")) for word in words]
        kept = self.columns if any(more) else ()
        return self._replace(columns=list(dict.fromkeys([*kept, *chosen])))

    def rows(self) -> list[dict[str, Any]]:
        """Return each row as title -> value, numbers at full precision.

        A mean is three values: `acc`, its deviation `acc_sd`, and how many count, `acc_n`. A time
        is in seconds.
        """
        rows: list[dict[str, Any]] = [{} for _ in self.groups]
        for column in self.columns:
            values = self.values(column)
            title = "time_s" if column.kind == "word" and column.name == "time" else column.title
            for row, value in zip(rows, values, strict=True):
                if self.over and column.kind == "metric":
                    mean = value if isinstance(value, Mean) else Mean(float("nan"), None, 0, 0)
                    row[title] = mean.mean if mean.counted else None
                    row[f"{title}_sd"], row[f"{title}_n"] = mean.deviation, mean.counted
                else:
                    row[title] = value.mean if isinstance(value, Mean) else value
        return rows


def new_table(
    groups: Iterable[Group],
    told: Sequence[str] = (),
    over: Sequence[str] = (),
    counting: Collection[str] = FINISHED,
) -> Table:
    """Return a table with the usual columns: what varies, state, time, all metrics.

    Args:
        groups: of members; of one each, unless means are taken.
        told: parameters in the order in which they were enqueued.
        over: the parameters over which means are taken.
        counting: the states whose members are taken into a mean.
    """
    rows = [tuple(group) for group in groups]
    members = [one for group in rows for one in group]
    finder = Finder(members)
    params = [name for name in varying(members, told) if name not in over]
    names = len({one.name for one in members}) > 1
    words = ["members"] if over else ["id"]
    words += ["name"] * names
    columns = [finder.word(word) for word in words] + [finder.param(name) for name in params]
    # Jobs that nothing so far tells apart: their commands do.
    told_apart = {(one.name, *(one.params.get(name) for name in params)) for one in members}
    if not over and len(told_apart) < len(members):
        columns.append(finder.word("command"))
    columns += [finder.word("state"), finder.word("time")]
    if any(one.at_step is not None for one in members):
        columns.append(finder.word("step"))
    columns += [finder.metric(name) for name in finder.metrics]
    return Table(rows, columns, told, over, counting)


def table_of(
    members: Sequence[Member],
    told: Sequence[str] = (),
    counting: Collection[str] = FINISHED,
) -> Table:
    """Return the usual table of members, in order of submission."""
    found = sorted(members, key=lambda one: order_key(one.id))
    return new_table([(one,) for one in found], told, (), counting)
