"""What lines are called, which are named at all, and where colours stand for numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mlq.metrics.member import Member, number_of, varying
from mlq.metrics.naming import less_is_better
from mlq_cli.render.clean import clean
from mlq_cli.render.plots.picture import LEGEND_MOST, NAMED_MOST, Line, spans_decades

CHANCE = ("seed", "random_seed", "repeat", "run")
"""Parameters of chance: they say nothing of what a run is, so no colours stand for them."""
_LONGEST_LABEL = 48


def telling(members: Sequence[Member], told: Sequence[str], without: Sequence[str]) -> list[str]:
    """Return the parameters that tell members apart, but for some."""
    several = [
        name
        for name in varying(members, told)
        if len({one.params.get(name) for one in members}) > 1
    ]
    return [name for name in several if name not in without]


def labels(members: Sequence[Member], names: Sequence[str]) -> list[str]:
    """Return what each member is called: the values of the parameters that vary.

    Of a single parameter only the value: the legend's title names it.
    """
    found = []
    for one in members:
        params = {name: one.params[name] for name in names if name in one.params}
        if len(names) == 1:
            text = next(iter(params.values()), "")
        else:
            text = ", ".join(f"{name}={value}" for name, value in params.items())
        found.append(_short(clean(text or one.name or one.id)))
    counts: dict[str, int] = {}
    for text in found:
        counts[text] = counts.get(text, 0) + 1
    return [
        f"{text} ({one.id})" if counts[text] > 1 else text
        for text, one in zip(found, members, strict=True)
    ]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def legend_title(names: Sequence[str]) -> str:
    """Return the title of the legend."""
    return clean(names[0]) if len(names) == 1 else ""


def coloured_by(members: Sequence[Member], names: Sequence[str]) -> dict[str, float]:
    """Return the parameter's number for each member's id, if colours can stand for one.

    That is so if one parameter varies, other than one of chance, and all its values are numbers.
    """
    left = [name for name in names if name not in CHANCE] or list(names)
    if len(left) != 1:
        return {}
    numbers = {one.id: number_of(one.params.get(left[0], "")) for one in members}
    known = {job_id: float(value) for job_id, value in numbers.items() if value is not None}
    return known if len(known) == len(members) else {}


def bar_title(names: Sequence[str]) -> str:
    """Return the title of the colour bar."""
    left = [name for name in names if name not in CHANCE] or list(names)
    return clean(left[0])


def is_log_bar(numbers: Mapping[str, float]) -> bool:
    """Return whether the colours are on a logarithmic scale."""
    return spans_decades(list(numbers.values()))


def only_best_named(lines: Sequence[Line], metric: str) -> tuple[list[Line], str]:
    """Return lines of which at most the ten best are named, these first; and a note if it is so."""
    if len(lines) <= LEGEND_MOST:
        return list(lines), ""
    least = less_is_better(metric)

    def rank(line: Line) -> float:
        finite = [y for y in line.ys if math.isfinite(y)]
        if not finite:
            return math.inf
        return min(finite) if least else -max(finite)

    ordered = sorted(lines, key=rank)
    best = [one for one in ordered[:NAMED_MOST] if rank(one) < math.inf]
    rest = [one._replace(label="", is_faint=True) for one in ordered[len(best) :]]
    which = "least" if least else "largest"
    return [
        *best,
        *rest,
    ], f"named: the {len(best)} of {len(lines)} with the {which} {clean(metric)}"
