"""All combinations of a sweep's dimensions, computed only as they are needed.

A dimension varies independently: one parameter, several that walk together, or the rows of a table.
The last one varies fastest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps.distributions import Distribution
from mlq.sweeps.names import nearest

Row = tuple[str, ...]

_DUPLICATES_IN_A_ROW = 10_000


class Dimension(NamedTuple):
    """Parameters that vary together, and their values."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]


class Drawn(NamedTuple):
    """A parameter whose values are drawn."""

    name: str
    source: Distribution


def zipped(dimensions: Sequence[Dimension], groups: Iterable[Sequence[str]]) -> list[Dimension]:
    """Return the dimensions with each group's merged into one, in the place of its first.

    Raises:
        InvalidInputError: a group cannot be walked.
    """
    found = list(dimensions)
    for group in groups:
        typed = f"--zip {','.join(group)}"
        if len(set(group)) < 2 or len(set(group)) != len(group):
            raise InvalidInputError(
                f"{typed} cannot be used", why="it takes several parameters", fix="--zip lr,wd"
            )
        at = {one.names: place for place, one in enumerate(found)}
        for name in group:
            _check_can_be_zipped(typed, name, found)
        members = [found[at[(name,)]] for name in group]
        lengths = {len(one.rows) for one in members}
        if len(lengths) > 1:
            counts = ", ".join(f"{one.names[0]} has {len(one.rows)}" for one in members)
            raise InvalidInputError(
                f"{typed} cannot be walked together",
                why=f"{counts} values",
                fix="give all of them as many, or leave one out of --zip",
            )
        rows = tuple(
            tuple(row[0] for row in rows)
            for rows in zip(*(one.rows for one in members), strict=True)
        )
        together = Dimension(tuple(group), rows)
        place = min(at[(name,)] for name in group)
        found[place] = together
        found = [one for one in found if one is together or one not in members]
    return found


def _check_can_be_zipped(typed: str, name: str, dimensions: Sequence[Dimension]) -> None:
    home = next((one for one in dimensions if name in one.names), None)
    if home is None:
        names = [one for dimension in dimensions for one in dimension.names]
        raise InvalidInputError(
            f"{typed} names {name}, which is no parameter with values of its own",
            why=f"the parameters are {', '.join(names) or 'all in tables'}",
            fix=nearest(name, names).replace("{", "").replace("}", "").strip()
            or f"add --param {name}=1,2, or leave it out of --zip",
        )
    if len(home.names) > 1:
        raise InvalidInputError(
            f"{typed} names {name}, which goes with {', '.join(home.names)} already"
        )


def count(dimensions: Sequence[Dimension]) -> int:
    """Return how many combinations there are."""
    return math.prod(len(one.rows) for one in dimensions)


def names(dimensions: Iterable[Dimension], drawn: Iterable[Drawn] = ()) -> tuple[str, ...]:
    """Return the names of all parameters, as they stand in a combination."""
    fixed = [name for dimension in dimensions for name in dimension.names]
    return (*fixed, *(one.name for one in drawn))


def combinations(dimensions: Sequence[Dimension]) -> Iterator[Row]:
    """Yield all combinations, as values of `names`."""
    if all(len(one.names) == 1 for one in dimensions):
        return iter(product(*([row[0] for row in one.rows] for one in dimensions)))
    return (sum(rows, ()) for rows in product(*(one.rows for one in dimensions)))


def combination(dimensions: Sequence[Dimension], index: int) -> Row:
    """Return the combination that `combinations` yields at this place."""
    found: Row = ()
    for dimension in reversed(dimensions):
        index, at = divmod(index, len(dimension.rows))
        found = dimension.rows[at] + found
    return found


def sample(
    dimensions: Sequence[Dimension], drawn: Sequence[Drawn], wanted: int, seed: int
) -> list[Row]:
    """Return so many different combinations, drawn at random; all of a smaller grid.

    The same seed draws the same combinations, in whatever order the parameters were typed, and a
    larger sample begins with the smaller one. Combinations of a grid are drawn without repetition;
    with distributions beside it the whole grid is walked in random order, again and again.
    """
    chance = _chances(seed)
    by_name = sorted(dimensions, key=lambda one: one.names)
    order = names(by_name)
    walked = names(dimensions)
    places = [order.index(name) for name in walked]
    size = count(by_name)
    shuffled = _Shuffled(size, chance("the grid"))
    sources = [(one.source, chance(one.name)) for one in drawn]
    found: dict[Row, None] = {}
    at = duplicates = 0
    while len(found) < wanted and duplicates < _DUPLICATES_IN_A_ROW:
        if at >= size and not drawn:
            break
        of_grid = combination(by_name, shuffled.at(at % size))
        row = tuple([of_grid[place] for place in places])
        row += tuple([source.drawn(random) for source, random in sources])
        duplicates = duplicates + 1 if row in found else 0
        found[row] = None
        at += 1
    return list(found)


def _chances(seed: int) -> Callable[[str], Callable[[], float]]:
    from random import Random

    # `random()` gives the same numbers in all versions of Python; `sample` and `shuffle` need not.
    return lambda name: Random(f"{seed} {name}").random  # noqa: S311 - no secret


class _Shuffled:
    """The numbers below `size` in random order, computed only as far as needed."""

    def __init__(self, size: int, chance: Callable[[], float]) -> None:
        self._size, self._chance = size, chance
        self._moved: dict[int, int] = {}
        self._made: list[int] = []

    def at(self, place: int) -> int:
        while len(self._made) <= place:
            here = len(self._made)
            other = here + int(self._chance() * (self._size - here))
            self._made.append(self._moved.get(other, other))
            self._moved[other] = self._moved.get(here, here)
        return self._made[place]
