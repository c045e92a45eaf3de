"""Members that differ only in their seed, as one row: mean, deviation, and how many of how many.

A mean of what is still running, or of runs that diverged, misleads. So only members in a state that
counts (finished, unless the user names others), with a finite value, are taken into it, and a mean
always says how many these are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.metrics.member import Member, params_of


class Mean(NamedTuple):
    """A mean.

    Args:
        mean: NaN if no value counts.
        deviation: the sample deviation (n - 1); None of fewer than two values.
        counted: how many values count.
        of: of how many.
    """

    mean: float
    deviation: float | None
    counted: int
    of: int


def mean_of(values: Iterable[float], of: int) -> Mean:
    """Return the mean of the finite ones of these values.

    Args:
        values: those that count.
        of: how many there could have been.
    """
    finite = [one for one in values if math.isfinite(one)]
    if not finite:
        return Mean(math.nan, None, 0, of)
    # The scale keeps sums and squares of values near the largest float finite.
    scale = max(map(abs, finite)) or 1.0
    scaled = [one / scale for one in finite]
    mean = math.fsum(scaled) / len(scaled)
    if len(scaled) < 2:
        return Mean(finite[0], None, 1, of)
    squares = math.fsum((one - mean) ** 2 for one in scaled)
    return Mean(mean * scale, math.sqrt(squares / (len(scaled) - 1)) * scale, len(finite), of)


def grouped(groups: Sequence[Sequence[Member]], over: Collection[str]) -> list[tuple[Member, ...]]:
    """Return groups of members that differ in these parameters only, in order of their first.

    Args:
        groups: of members, often of one each.
        over: the parameters.

    Raises:
        InvalidInputError: no member has such a parameter.
    """
    members = [one for group in groups for one in group]
    known = params_of(members)
    for name in over:
        if name not in known:
            raise InvalidInputError(
                f"--over {name}: there is no such parameter",
                why=f"there is {', '.join(known)}" if known else "these jobs have no parameters",
            )
    found: dict[tuple[object, ...], list[Member]] = {}
    for one in members:
        key = tuple(sorted(pair for pair in one.params.items() if pair[0] not in over))
        found.setdefault((one.name, key), []).append(one)
    return [tuple(group) for group in found.values()]
