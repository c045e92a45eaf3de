"""A job as a table or a plot of results needs it: what it was given, what it measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlq.metrics.extent import Extent

_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 40


class Member(NamedTuple):
    """One job, with its values.

    Args:
        id, name, machine: as `mlq ls` shows them; `command` likewise.
        state: rq's word, or `held`.
        attempt: the number of its last attempt; 0 if there was none.
        params: its parameters in its sweep, as typed; empty if it belongs to none.
        metrics: metric -> its last, least and largest value.
        started_s: when its last attempt began, unix time; None if none has.
        time_s: for how many seconds that ran, up to now if it still does.
        code: which code it runs; "" if it runs in the live folder.
        gpu: the model of its GPUs; "" if unknown.
        is_pruned: whether a search stopped it, since others were better.
        at: the values of its metrics at the step that was asked for; None if none was.
        at_step: that step; None if it told none.
    """

    id: str
    name: str = ""
    state: str = "finished"
    command: str = ""
    machine: str = ""
    attempt: int = 0
    params: dict[str, str] = {}  # noqa: RUF012 - no code writes to it
    metrics: dict[str, Extent] = {}  # noqa: RUF012 - likewise
    started_s: float | None = None
    time_s: float | None = None
    code: str = ""
    gpu: str = ""
    is_pruned: bool = False
    at: dict[str, float] | None = None
    at_step: float | None = None


def number_of(text: str) -> int | float | None:
    """Return the number that a parameter's text is; None if it is none, or not finite."""
    if len(text) > _LONGEST_NUMBER:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def numbers_of(texts: Iterable[str]) -> dict[str, int | float]:
    """Return text -> number, if all texts are numbers; else nothing."""
    found: dict[str, int | float] = {}
    for text in dict.fromkeys(texts):
        value = number_of(text)
        if value is None:
            return {}
        found[text] = value
    return found


def params_of(members: Sequence[Member], told: Iterable[str] = ()) -> list[str]:
    """Return all parameters: first those told, in that order, then by appearance."""
    seen = dict.fromkeys(name for one in members for name in one.params)
    return list(dict.fromkeys([*(one for one in told if one in seen), *seen]))


def varying(members: Sequence[Member], told: Iterable[str] = ()) -> list[str]:
    """Return the parameters that have several values; of those that always go together, the first.

    Args:
        members: the jobs.
        told: parameters that vary in the whole sweep, in the order in which they are wanted; they
            are there even if these members have one value of them. Of a single job all are.
    """
    alone = len(members) == 1
    seen: dict[tuple[str | None, ...], str] = {}
    found: list[str] = []
    for name in params_of(members, told):
        values = tuple(one.params.get(name) for one in members)
        varies = len(set(values)) > 1
        if (varies and seen.setdefault(values, name) == name) or (
            not varies and (alone or name in told)
        ):
            found.append(name)
    return found


def metrics_of(members: Iterable[Member]) -> list[str]:
    """Return all metrics, by appearance."""
    return list(dict.fromkeys(name for one in members for name in one.metrics))
