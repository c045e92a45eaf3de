"""Selects and orders the jobs that `mlq ls` shows, by the options that the user typed. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.ids import place_in_line
from mlq.jobs.globs import matches
from mlq.jobs.view import JobView
from mlq.units import parse_iso
from mlq_cli.render.jobs import state_of

SORTS = ("id", "name", "state", "machine", "time", "submitted", "ended")


class Filter(NamedTuple):
    """The conditions that a job must meet.

    Args:
        name, machine: globs; "" for any.
        since_s: submitted or ended after this unix time.
    """

    name: str = ""
    machine: str = ""
    since_s: float = -math.inf

    def admits(self, job: JobView) -> bool:
        """Return whether a job meets all conditions."""
        if self.name and not matches(job.name, self.name):
            return False
        if self.machine and not matches(job.machine or "", self.machine):
            return False
        latest = max((parse_iso(at) for at in (job.submitted_at, job.ended_at) if at), default=0.0)
        return latest >= self.since_s


def ordered(
    jobs: Sequence[JobView], by: str, now_s: float, *, reverse: bool = False
) -> list[JobView]:
    """Return the jobs in order; jobs without a value come last.

    Args:
        jobs: the jobs.
        by: one of `SORTS` or the name of a parameter.
        now_s: unix time.
        reverse: whether the largest comes first.

    Raises:
        InvalidInputError: `by` is neither.
    """
    key = _keys(now_s).get(by)
    if key is None:
        params = {name for job in jobs for name in job.params}
        if jobs and by not in params:
            raise InvalidInputError(
                f"--sort {by}: there is nothing of this name to sort by",
                why=f"there is {', '.join((*SORTS, *sorted(params)))}",
            )
        key = _by_param(by)
    found = [(key(job), job) for job in jobs]
    known = sorted((one for one in found if one[0] is not None), key=_first, reverse=reverse)
    return [job for _, job in (*known, *(one for one in found if one[0] is None))]


_Key = tuple[float, str] | None


def _first(pair: tuple[_Key, JobView]) -> tuple[float, str]:
    return pair[0] or (0.0, "")


def _keys(now_s: float) -> dict[str, Callable[[JobView], _Key]]:
    def text(value: str) -> _Key:
        return (0.0, value) if value else None

    def at(iso: str | None) -> _Key:
        return (parse_iso(iso), "") if iso else None

    def lasted(job: JobView) -> _Key:
        if not job.started_at:
            return None
        return (parse_iso(job.ended_at) if job.ended_at else now_s) - parse_iso(job.started_at), ""

    return {
        "id": lambda job: (place_in_line(job.id), job.id),
        "name": lambda job: text(job.name),
        "state": lambda job: text(state_of(job)),
        "machine": lambda job: text(job.machine or ""),
        "time": lasted,
        "submitted": lambda job: at(job.submitted_at),
        "ended": lambda job: at(job.ended_at),
    }


def _by_param(name: str) -> Callable[[JobView], _Key]:
    def key(job: JobView) -> _Key:
        value = job.params.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            return math.inf, value
        return (number, "") if math.isfinite(number) else (math.inf, value)

    return key
