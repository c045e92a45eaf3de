"""What a space of a search is to its sampler: it draws parameters, and reads drawn ones back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


class Drawn(NamedTuple):
    """The parameters of a new member.

    Args:
        params: its parameters, as the job gets them.
        drawn: what was drawn, if `params` does not say that.
    """

    params: dict[str, str]
    drawn: Mapping[str, str] = {}


class Read(NamedTuple):
    """What was drawn for a member, as Optuna has it.

    Args:
        values: name -> value.
        distributions: name -> what it was drawn from.
    """

    values: dict[str, Any]
    distributions: dict[str, BaseDistribution]


class Space(Protocol):
    """The space of a search."""

    def draw(self, trial: Trial) -> Drawn:
        """Return the parameters of a new member."""

    def read(self, params: Mapping[str, str], drawn: Mapping[str, str]) -> Read | None:
        """Return what was drawn for a member; None if it cannot have come from this space."""

    def combinations(self) -> Iterator[dict[str, str]]:
        """Yield the parameters of all members that there can be; none if they are not counted."""
