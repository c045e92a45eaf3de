"""Results as a table on a terminal, and what must be said below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mlq.ids import order_key
from mlq.jobs.lifecycle import ENDED, State
from mlq.metrics.columns import Column, Value
from mlq.metrics.grouping import Mean
from mlq.metrics.member import Member, metrics_of, numbers_of
from mlq.metrics.table import Table
from mlq_cli.render import table as terminal
from mlq_cli.render.numbers import aligned, mean, numbers
from mlq_cli.render.style import Style, kind_of
from mlq_cli.render.table import Cell
from mlq_cli.render.words import count, elapsed, listed_briefly

HOW_METRICS_COME = (
    "Metrics come from the jobs themselves: mlq.report(loss=0.5) in Python, lines of the log that"
    " are JSON or a dict with numbers, files of Lightning, Transformers, TensorBoard and wandb, or"
    " mlq enqueue --metric 'acc=accuracy ([0-9.]+)'"
)
_KEY_IMPORTANCE = 93  # of what the table is sorted by
_IMPORTANCE = {"state": 90, "time": 50, "name": 85, "machine": 40, "attempt": 30, "command": 60}
_DIGITS_OF_CODE = 8


def result_table(table: Table, style: Style) -> list[str]:
    """Return the lines of `mlq results`; the last names the columns that did not fit."""
    columns = [_column(table, one, at) for at, one in enumerate(table.columns)]
    cells = [_cells(table, one) for one in table.columns]
    rows = list(zip(*cells, strict=True))
    left_out = _left_out(columns, rows, style)
    lines = terminal.table(columns, rows, style)
    if left_out:
        names = ", ".join(left_out[:8]) + (" and more" if len(left_out) > 8 else "")
        more = (
            f"{count(len(left_out), 'column')} did not fit: {names} (--cols chooses, --csv has all)"
        )
        lines += ["", more]
    return lines


def _column(table: Table, column: Column, at: int) -> terminal.Column:
    if column.kind == "param":
        # On a line that is too long, metrics go before parameters: without these it says nothing.
        is_number = bool(numbers_of(_as_typed(table, column)))
        return terminal.Column(column.title, 95 - at % 5, least=6, right=is_number)
    if column.kind == "metric":
        importance = _KEY_IMPORTANCE if column in table.keys else 88 - min(at, 40)
        return terminal.Column(column.title, importance, right=True)
    titles = {"id": "ID", "members": "N"}
    title = titles.get(column.name, column.title.upper())
    if column.name in titles:
        return terminal.Column(title, right=column.name == "members")
    # The state of several members is a list of states.
    is_long = column.name in ("name", "machine", "command") or (table.over and title == "STATE")
    shortened = 8 if is_long else 0
    right = column.name in ("time", "attempt", "step")
    importance = _IMPORTANCE.get(column.name, 45)
    if column.name == "state" and set(table.values(column)) == {State.FINISHED}:
        importance = 45  # the line above the table says so, too
    return terminal.Column(title, importance, shortened, right)


def _left_out(
    columns: Sequence[terminal.Column], rows: Sequence[Sequence[Cell]], style: Style
) -> list[str]:
    if style.width is None:
        return []
    widths = {
        at: max(map(terminal.columns_of, (column.title, *(row[at].text for row in rows))))
        for at, column in enumerate(columns)
        if any(row[at].text for row in rows)
    }
    shown = terminal.fitted(columns, widths, style.width)
    return [columns[at].title for at in widths if at not in shown]


def _cells(table: Table, column: Column) -> list[Cell]:
    values = table.values(column)
    if column.kind == "param":
        return [Cell(text) for text in _as_typed(table, column)]
    if column.kind == "metric" or column.name == "step":
        if any(isinstance(one, Mean) for one in values):
            texts = ["" if one is None else mean(_as_mean(one)) for one in values]
            return [Cell(text) for text in _aligned_means(texts)]
        return [Cell(text) for text in numbers([_number(one) for one in values])]
    if column.name == "time":
        return [Cell("" if (s := _number(one)) is None else elapsed(s)) for one in values]
    if column.name == "state":
        return [Cell(str(one or ""), kind_of(str(one))) for one in values]
    return [Cell("" if one is None else str(one)) for one in values]


def _as_typed(table: Table, column: Column) -> list[str]:
    """Return the texts of a parameter as its user typed them; `1e-3` is not 0.001."""
    return [group[0].params.get(column.name, "") for group in table.groups]


def _as_mean(value: Value) -> Mean:
    return value if isinstance(value, Mean) else Mean(float("nan"), None, 0, 0)


def _aligned_means(texts: Sequence[str]) -> list[str]:
    """Return means with their counts, signs and points below each other."""
    parts = [text.rpartition(" ") if text else ("", "", "") for text in texts]
    heads = [head.partition(" ± ") for head, _, _ in parts]
    middles = _right(aligned([one[0] for one in heads]))
    spreads = [f"{sign}{spread}" for _, sign, spread in heads]
    width = max(map(len, spreads), default=0)
    ends = _right([end for _, _, end in parts])
    return [
        f"{middle}{spread:<{width}} {end}".rstrip() if text else ""
        for text, middle, spread, end in zip(texts, middles, spreads, ends, strict=True)
    ]


def _right(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]


def _number(value: Value) -> float | None:
    if isinstance(value, Mean):
        return value.mean if value.counted else None
    return value if isinstance(value, int | float) else None


def remarks(table: Table) -> list[str]:
    """Return what must be said below a table: nothing measured, nothing ended, things mixed."""
    members = sorted(table.members, key=lambda one: order_key(one.id))
    lines = []
    ended = sum(one.state in ENDED for one in members)
    measured = bool(metrics_of(members))
    if not measured:
        lines.append(f"No metrics yet. {HOW_METRICS_COME}")
    if not ended and members:
        latest = "; the values are the latest" if measured else ""
        lines.append(f"None of {count(len(members), 'job')} has ended yet{latest}.")
    if pruned := sum(one.is_pruned for one in members):
        was = "was" if pruned == 1 else "were"
        lines.append(f"{count(pruned, 'member')} {was} pruned; mlq ls says at which step, and why.")
    if table.over and measured:
        left = sum(one.state not in table.counting for one in members)
        states = " or ".join(sorted(table.counting))
        if left:
            lines.append(
                f"Means are of {states} members; {left} of {len(members)} are not, and do not count"
                " (--state says which do)."
            )
    lines += _mixed(members, "Their code differs", lambda one: one.code and _short(one.code))
    lines += _mixed(members, "Their GPU models differ", lambda one: one.gpu)
    return lines


def _short(code: str) -> str:
    return "+".join(re.sub(r"[^0-9a-f]", "", pack)[:_DIGITS_OF_CODE] for pack in code.split())


def _mixed(members: Sequence[Member], what: str, of: Callable[[Member], str]) -> list[str]:
    """Return a line that names which members have what, if they differ in it."""
    found: dict[str, list[str]] = {}
    is_code = "code" in what
    for one in members:
        if (key := of(one)) or is_code:
            found.setdefault(key or "the live folder", []).append(one.id)
    if len(found) < 2:
        return []
    parts = "; ".join(f"{key}: {listed_briefly(ids)}" for key, ids in found.items())
    copies = [ids[0] for key, ids in found.items() if key != "the live folder"]
    hint = f". What differs: mlq diff {' '.join(copies[:2])}" if is_code and len(copies) > 1 else ""
    return [f"{what}: {parts}{hint}"]
