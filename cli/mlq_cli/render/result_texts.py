"""Results as text for other programs: CSV at full precision, Markdown and LaTeX rounded."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlq.metrics.columns import Column, Value
from mlq.metrics.grouping import Mean
from mlq.metrics.series import as_json
from mlq.metrics.table import Table
from mlq_cli.render.clean import clean
from mlq_cli.render.numbers import mean, mean_parts, number
from mlq_cli.render.words import elapsed

_IN_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{one: rf"\{one}" for one in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "…": r"\ldots{}",
}
_EXPONENT = re.compile(r"(-?[\d.]+)e([+-])0*(\d+)")


def csv_text(table: Table, more: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the table as CSV with a line of headings; numbers at full precision.

    A text that a spreadsheet would take for a formula keeps its first character: what is written
    must be what the job was given.

    Args:
        table: the table.
        more: further columns: title -> the value of each row.
    """
    rows = table.rows()
    for title, values in (more or {}).items():
        for row, value in zip(rows, values, strict=True):
            row[title] = value
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(list(rows[0]) if rows else [one.title for one in table.columns])
    for row in rows:
        writer.writerow(["" if one is None else _exact(one) for one in row.values()])
    return out.getvalue()


def _exact(value: Any) -> Any:
    return as_json(value) if isinstance(value, float) else value


def json_rows(table: Table) -> list[dict[str, Any]]:
    """Return the rows as `--json` prints them; the names are a contract."""
    metrics = [(one, table.values(one)) for one in table.columns if one.kind == "metric"]
    rows = []
    for at, group in enumerate(table.groups):
        first = group[0]
        found = {one.title: _json(values[at]) for one, values in metrics}
        if table.over:
            params = {k: v for k, v in first.params.items() if k not in table.over}
            ids = [one.id for one in group]
            states: dict[str, int] = {}
            for one in group:
                states[one.state] = states.get(one.state, 0) + 1
            head: dict[str, Any] = {"ids": ids, "name": first.name, "params": params}
            rows.append({**head, "states": states, "metrics": found})
            continue
        rows.append(
            {
                "id": first.id,
                "name": first.name,
                "state": first.state,
                "params": first.params,
                "time_s": first.time_s,
                "metrics": found,
                "step": first.at_step,
                "machine": first.machine or None,
                "gpu": first.gpu or None,
                "code": first.code or None,
            }
        )
    return rows


def _json(value: Value) -> Any:
    if isinstance(value, Mean):
        middle = as_json(value.mean) if value.counted else None
        spread = None if value.deviation is None else as_json(value.deviation)
        return {"mean": middle, "sd": spread, "n": value.counted, "of": value.of}
    return as_json(value) if isinstance(value, float) else value


def markdown(table: Table) -> list[str]:
    """Return the table in Markdown."""
    texts = [[_markdown(one) for one in _texts(table, column)] for column in table.columns]
    heads = [_markdown(one.title) for one in table.columns]
    marks = ["--:" if _is_right(one) else "---" for one in table.columns]
    rows = [heads, marks, *zip(*texts, strict=True)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _markdown(text: str) -> str:
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", clean(text))


def latex(table: Table) -> list[str]:
    """Return the table in LaTeX, with the rules of the package booktabs."""
    right = "".join("r" if _is_right(one) else "l" for one in table.columns)
    columns = [_latex_cells(table, one) for one in table.columns]
    rows = [_latex_row(row) for row in zip(*columns, strict=True)]
    return [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{right}}}",
        "\\toprule",
        _latex_row([in_latex(one.title) for one in table.columns]),
        "\\midrule",
        *rows,
        "\\bottomrule",
        "\\end{tabular}",
    ]


def _latex_row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def in_latex(text: str) -> str:
    """Return a text with the characters escaped that mean something to LaTeX."""
    return "".join(_IN_LATEX.get(one, one) for one in clean(text))


def _latex_cells(table: Table, column: Column) -> list[str]:
    values, texts = table.values(column), _texts(table, column)
    if column.kind != "metric":
        return [in_latex(text) for text in texts]
    return [_latex_number(value) for value in values]


def _latex_number(value: Value) -> str:
    if isinstance(value, Mean):
        if not value.counted:
            return f"({value.counted}/{value.of})"
        middle, spread, power = mean_parts(value)
        text = f"{_latex_plain(middle)} \\pm {spread}" if spread else _latex_plain(middle)
        if power:
            text = f"({text}) \\times 10^{{{int(power[1:])}}}"
        return f"${text}$ ({value.counted}/{value.of})"
    if not isinstance(value, int | float):
        return ""
    return "nan" if math.isnan(value) else f"${_latex_plain(_rounded(value))}$"


def _latex_plain(text: str) -> str:
    text = text.replace("inf", "\\infty")
    power = _EXPONENT.fullmatch(text)
    if power is None:
        return text
    sign = "-" if power[2] == "-" else ""
    return f"{power[1]} \\times 10^{{{sign}{power[3]}}}"


def _rounded(value: float) -> str:
    return str(value) if isinstance(value, int) else number(value)


def _is_right(column: Column) -> bool:
    return column.kind == "metric" or column.name in ("time", "step", "members", "attempt")


def _texts(table: Table, column: Column) -> list[str]:
    if column.kind == "param":
        return [group[0].params.get(column.name, "") for group in table.groups]
    return [_text(value, column) for value in table.values(column)]


def _text(value: Value, column: Column) -> str:
    if isinstance(value, Mean):
        if column.kind == "metric":
            return mean(value)
        value = value.mean if value.counted else None
    if value is None:
        return ""
    if column.name == "time" and isinstance(value, int | float):
        return elapsed(value)
    return _rounded(value) if isinstance(value, int | float) else value
