"""The space of a search as `--param` gives it: distributions, and lists of values.

| typed | drawn |
|---|---|
| `uniform(0,1)`, `loguniform(1e-5,1e-1)`, `randint(1,10)` | from there |
| `0..9`, `range(1,9,2)`, `linspace(..)`, `geomspace(..)` | one of these, which have an order |
| `adam,sgd`, `choice(..)`, `glob(..)`, `file(..)` | one of these, which have none |
| one value | always this |
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.errors import InvalidInputError
from mlq.search.space import Drawn, Read
from mlq.sweeps import values
from mlq.sweeps.decimals import comparable, number, typed
from mlq.sweeps.distributions import Distribution
from mlq.sweeps.files import Files
from mlq.sweeps.splitting import call, split

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

_ORDERED = ("range", "linspace", "geomspace")
_DOTS = re.compile(r"[+-]?\d.*\.\.")


class Listed(NamedTuple):
    """One parameter of a space.

    Args:
        name: its name.
        values: what it may be; none if it is drawn from `source`.
        ordered: whether the values have an order.
        source: what it is drawn from.
    """

    name: str
    values: tuple[str, ...] = ()
    ordered: bool = False
    source: Distribution | None = None

    def drawn(self, trial: Trial) -> str:
        """Return a value for a trial."""
        source = self.source
        if source is None:
            return self.values[self._place(trial)]
        if source.kind == "randint":
            return str(trial.suggest_int(self.name, int(source.low), int(source.high)))
        low, high = float(source.low), float(source.high)
        value = trial.suggest_float(self.name, low, high, log=source.kind == "loguniform")
        return source.rounded(Decimal(repr(value)))

    def _place(self, trial: Trial) -> int:
        if len(self.values) == 1:
            return 0
        places = len(self.values)
        if self.ordered:
            return trial.suggest_int(self.name, 0, places - 1)
        return int(trial.suggest_categorical(self.name, range(places)))

    def distribution(self) -> BaseDistribution | None:
        """Return the distribution that `drawn` asks a trial for; None if it asks for none."""
        from optuna import distributions as of

        source = self.source
        if source is None:
            places = len(self.values)
            if places == 1:
                return None
            if self.ordered:
                return of.IntDistribution(0, places - 1)
            return of.CategoricalDistribution(tuple(range(places)))
        if source.kind == "randint":
            return of.IntDistribution(int(source.low), int(source.high))
        log = source.kind == "loguniform"
        return of.FloatDistribution(float(source.low), float(source.high), log=log)

    def read(self, text: str, places: Mapping[str, int]) -> float | int | None:
        """Return the value that a trial drew, from the text that the job got; None if it is none.

        Args:
            text: the text.
            places: where each of the values stands, by its comparable text.
        """
        source, value = self.source, number(text)
        if source is None:
            return places.get(comparable(text))
        if value is None or not source.low <= value <= source.high:
            return None
        if source.kind == "randint":
            return int(value) if value == value.to_integral_value() else None
        return float(value)

    @property
    def size(self) -> float:
        """How many values it has; inf if they are not counted."""
        if self.source is None:
            return len(self.values)
        return (
            int(self.source.high - self.source.low) + 1
            if self.source.kind == "randint"
            else math.inf
        )

    @property
    def texts(self) -> Sequence[str] | Iterator[str]:
        """All its values, if they are counted."""
        if self.source is None:
            return self.values
        return map(str, range(int(self.source.low), int(self.source.high) + 1))

    @property
    def text(self) -> str:
        """The parameter, as a person types it."""
        if self.source is not None:
            return f"{self.source.kind}({typed(self.source.low)},{typed(self.source.high)})"
        return ",".join(self.values)


class ListedSpace:
    """The parameters of a search.

    Args:
        params: all of them.
    """

    def __init__(self, params: Sequence[Listed]) -> None:
        self.params = tuple(params)
        self._places = [
            {comparable(value): at for at, value in enumerate(one.values)} for one in self.params
        ]
        self._distributions: dict[str, BaseDistribution | None] = {}

    @classmethod
    def typed(cls, params: Sequence[tuple[str, str | Sequence[str]]], files: Files) -> ListedSpace:
        """Return the space that a user typed: name and values of each parameter.

        Raises:
            InvalidInputError: a value cannot be read, or only one member is possible.
        """
        found = []
        for name, text in params:
            parsed = values.parse(name, text, files) if isinstance(text, str) else tuple(text)
            if isinstance(parsed, Distribution):
                found.append(Listed(name, source=parsed))
            else:
                kept = {comparable(one): one for one in reversed(parsed)}
                unique = tuple(dict.fromkeys(kept[comparable(one)] for one in parsed))
                ordered = isinstance(text, str) and _has_order(text)
                found.append(Listed(name, unique, ordered))
        if all(one.size == 1 for one in found):
            raise InvalidInputError(
                "nothing is to be searched",
                why="each parameter has a single value" if found else "there are no parameters",
                fix="add for example --param 'lr=loguniform(1e-5,1e-1)'",
            )
        return cls(found)

    def draw(self, trial: Trial) -> Drawn:
        """Return the parameters of a new member."""
        return Drawn({one.name: one.drawn(trial) for one in self.params})

    def read(self, params: Mapping[str, str], drawn: Mapping[str, str]) -> Read | None:
        """Return what was drawn for a member; None if it cannot have come from this space."""
        del drawn  # its parameters say all
        if len(params) != len(self.params):
            return None
        if not self._distributions:
            self._distributions = {one.name: one.distribution() for one in self.params}
        values: dict[str, Any] = {}
        for one, places in zip(self.params, self._places, strict=True):
            value = one.read(params.get(one.name, "\0"), places)
            if value is None:
                return None
            if self._distributions[one.name] is not None:
                values[one.name] = value
        return Read(values, {name: d for name, d in self._distributions.items() if d is not None})

    def combinations(self) -> Iterator[dict[str, str]]:
        """Yield the parameters of all members that there can be; none if they are not counted."""
        if math.isinf(math.prod(one.size for one in self.params)):
            return
        names = [one.name for one in self.params]
        for row in product(*(one.texts for one in self.params)):
            yield dict(zip(names, row, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(one.name for one in self.params)

    @property
    def text(self) -> dict[str, str]:
        """What each parameter may be, as a person types it."""
        return {one.name: one.text for one in self.params}

    def as_json(self) -> list[Any]:
        """Return the space as JSON holds it."""
        return [
            [one.name, list(one.values), one.ordered]
            if one.source is None
            else [one.name, one.source.kind, str(one.source.low), str(one.source.high)]
            for one in self.params
        ]

    @classmethod
    def from_json(cls, raw: Sequence[Any]) -> ListedSpace:
        """Return the space that `as_json` wrote."""
        found = []
        for name, first, *rest in raw:
            if isinstance(first, str):
                source = Distribution(first, *map(Decimal, rest))
                found.append(Listed(name, source=source))
            else:
                found.append(Listed(name, tuple(first), bool(rest[0])))
        return cls(found)


def _has_order(text: str) -> bool:
    """Return whether a text of values is a single `0..9`, `range(..)` or the like."""
    parts = split(text)
    if len(parts) != 1:
        return False
    found = call(parts[0])
    return (found is not None and found[0] in _ORDERED) or bool(_DOTS.match(parts[0]))
