"""What a search makes small or large: `--minimize val_loss`, `--maximize best:acc`.

The last value that a member reported counts, unless the user says otherwise: `min:` and `max:` take
the least and the largest one, `best:` the better of these two. All of them are in the job's hash,
so the value of a member is known without reading its curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.metrics.extent import Extent
from mlq.metrics.series import is_metric_name

_WHICH = ("last", "min", "max", "best")


class Goal(NamedTuple):
    """What a search aims at.

    Args:
        metric: the name of the metric.
        minimize: whether small is good.
        which: the value of a member that counts: `last`, `min` or `max`.
    """

    metric: str
    minimize: bool
    which: str = "last"

    @property
    def text(self) -> str:
        """The goal as its user can type it, without the dashes."""
        head = "" if self.which == "last" else f"{self.which}:"
        return f"{'minimize' if self.minimize else 'maximize'} {head}{self.metric}"

    def value(self, metrics: Mapping[str, Extent]) -> float | None:
        """Return what a member achieved; None if it did not report the metric."""
        extent = metrics.get(self.metric)
        if extent is None:
            return None
        return {"last": extent.last, "min": extent.min, "max": extent.max}[self.which]

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value is better than another one."""
        return value < other if self.minimize else value > other


def goal_of(minimize: str | None, maximize: str | None) -> Goal:
    """Return the goal that a user asks for.

    Raises:
        InvalidInputError: there is none, there are two, or it is no name of a metric.
    """
    if (minimize is None) == (maximize is None):
        raise InvalidInputError(
            "a search needs one goal",
            why="both --minimize and --maximize are given"
            if minimize is not None
            else "what is to become small or large is not said",
            fix="for example --minimize val_loss, or --maximize acc",
        )
    typed = str(maximize if minimize is None else minimize)
    which, colon, name = typed.partition(":")
    if not colon or which not in _WHICH:
        which, name = "last", typed
    if not is_metric_name(name):
        raise InvalidInputError(
            f"{typed!r} is no name of a metric", fix="for example val_loss, or min:val_loss"
        )
    if which == "best":
        which = "max" if minimize is None else "min"
    return Goal(name, minimize is not None, which)
