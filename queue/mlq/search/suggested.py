"""The space of a search as Python code gives it: a function that asks a trial for values.

The function may ask for other values in one trial than in another (`if opt == "sgd": ...`), and it
may return other parameters than those that it asked for. So what a member drew is found by calling
the function again, with a trial that gives the member's own values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlq.errors import InvalidInputError
from mlq.search.space import Drawn, Read

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Suggest = Callable[[Any], Mapping[str, object] | None]
"""Asks a trial for values, and returns the parameters; None: just these values."""


class SuggestedSpace:
    """A space that a function spans.

    Args:
        suggest: the function.
    """

    def __init__(self, suggest: Suggest) -> None:
        self._suggest = suggest

    def draw(self, trial: Trial) -> Drawn:
        """Return the parameters of a new member."""
        returned = self._suggest(trial)
        asked = {name: as_text(name, value) for name, value in trial.params.items()}
        if returned is None:
            return Drawn(asked)
        if not isinstance(returned, Mapping) or not all(isinstance(one, str) for one in returned):
            raise InvalidInputError(
                f"suggest returned {returned!r}, which is not names with values",
                fix="return a dict, or nothing if the parameters are the values that it asked for",
            )
        params = {name: as_text(name, value) for name, value in returned.items()}
        told = all(params.get(name) == text for name, text in asked.items())
        return Drawn(params, {} if told else asked)

    def read(self, params: Mapping[str, str], drawn: Mapping[str, str]) -> Read | None:
        """Return what was drawn for a member; None if the function asks for other values now."""
        from optuna import TrialPruned

        again = AgainTrial(drawn or params)
        try:
            self._suggest(again)
        except (_ElsewhereError, TrialPruned):
            return None
        return Read(again.params, again.distributions)

    def combinations(self) -> Iterator[dict[str, str]]:
        """Yield nothing: they are not counted."""
        return iter(())


class _ElsewhereError(Exception):
    """The member has no such value."""


class AgainTrial:
    """Gives a function the values that were drawn for a member, in the words of Optuna's trials.

    Args:
        texts: name -> the value as text.
    """

    number = -1

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        self.user_attrs: dict[str, Any] = {}
        self.system_attrs: dict[str, Any] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return the value of this name."""
        from optuna.distributions import FloatDistribution

        return float(self._given(name, FloatDistribution(low, high, log, step), float))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return the value of this name."""
        from optuna.distributions import IntDistribution

        return int(self._given(name, IntDistribution(low, high, log, step), int))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the value of this name."""
        from optuna.distributions import CategoricalDistribution

        by_text = {as_text(name, one): one for one in choices}
        distribution = CategoricalDistribution(tuple(choices))
        return self._given(name, distribution, by_text.__getitem__)

    def report(self, value: float, step: int) -> None:
        """Do nothing: jobs report."""

    def should_prune(self) -> bool:
        """Return False: a search stops members by itself."""
        return False

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep it until the function returns."""
        self.user_attrs[key] = value

    def _given(
        self, name: str, distribution: BaseDistribution, value_of: Callable[[str], Any]
    ) -> Any:
        try:
            value = value_of(self._texts[name])
        except (KeyError, ValueError):
            raise _ElsewhereError from None
        self.params[name] = value
        self.distributions[name] = distribution
        return value


def as_text(name: str, value: object) -> str:
    """Return one value as the job gets it; a number as Python writes it.

    Raises:
        InvalidInputError: it is neither text nor number, nor None.
    """
    from mlq.sweeps import python_values

    return "None" if value is None else python_values.as_text(name, value)
