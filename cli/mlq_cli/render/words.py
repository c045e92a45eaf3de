"""Writes times, sizes and lists of ids as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from mlq.ids import is_job_id
from mlq.units import format_duration, parse_iso, rounded_mib

_DAY_S = 86400
_RUNS_SHOWN = 20


def elapsed(seconds: float) -> str:
    """Return a duration in whole seconds; clocks differ, so a negative one counts as 0 s."""
    return format_duration(max(0, int(seconds)))


def about(mib: int) -> str:
    """Return a measured size, rounded to the digits that matter: `512M`, `8G`, `10.7G`."""
    return rounded_mib(mib)


def moment(iso: str, now: datetime) -> str:
    """Return a moment in local time: `14:05:09`, with the date if that is not today.

    Args:
        iso: ISO 8601 with its zone.
        now: the present time, in the time zone to show.
    """
    at = parse_iso(iso)
    local = datetime.fromtimestamp(at, now.tzinfo)
    if local.date() == now.date():
        return local.strftime("%H:%M:%S")
    if abs(now.timestamp() - at) < 300 * _DAY_S:
        return local.strftime("%d %b %H:%M")
    return local.strftime("%d %b %Y")


def percent(share: float | None) -> str:
    """Return a share from 0 to 1 as a percentage; a share below 1 is never shown as 100%."""
    return "" if share is None else f"{int(share * 100)}%"


def count(number: int, thing: str) -> str:
    """Return `1 job`, `2 jobs`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def paused(why: str) -> str:
    """Return the message about a paused queue."""
    return f"The queue is paused: {why}. Jobs that run go on; no other starts until: mlq resume"


def listed(ids: Sequence[str]) -> str:
    """Return ids in short form: `1040-1044, 1050, 1060_0-9`.

    Three or more consecutive numbers become a range, which commands accept as well.
    """
    parts: list[str] = []
    for run in _runs(ids):
        parts += [f"{run[0]}-{run[-1].rpartition('_')[2]}"] if len(run) > 2 else run
    return ", ".join(parts)


def listed_briefly(ids: Sequence[str]) -> str:
    """Return ids in short form as `listed`; if there are very many, the first and how many more."""
    runs = _runs(ids)
    if len(runs) <= _RUNS_SHOWN:
        return listed(ids)
    shown = [one for run in runs[:_RUNS_SHOWN] for one in run]
    return f"{listed(shown)} and {len(ids) - len(shown)} more"


def _follows(one: str, last: str) -> bool:
    sweep, _, number = one.rpartition("_")
    sweep_before, _, before = last.rpartition("_")
    return sweep == sweep_before and int(number) == int(before) + 1


def _runs(ids: Iterable[str]) -> list[list[str]]:
    runs: list[list[str]] = []
    for one in ids:
        if runs and is_job_id(runs[-1][-1]) and is_job_id(one) and _follows(one, runs[-1][-1]):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
