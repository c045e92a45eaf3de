"""Finds metrics in the lines of a log: JSON objects, Python dicts, what a user's regex matches.

A value whose line tells no step gets the epoch that the log named last: `Epoch 3/60` often stands
alone in a line, and the values come below it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlq.metrics.series import Point
from mlq_worker.collector.sources.values import UNTIMED, number_of, point_of

_LONGEST_OBJECT = 1 << 16
_LONGEST_DICT = 1 << 13
_LONGEST_MATCHED = 2000  # the time of a user's regex may grow with any power of it
_ESCAPES = re.compile(r"\x1b\[[0-9;?]{0,20}[@-~]")
_EPOCH = re.compile(r"\bepochs?(?:\s?\(\w{1,20}\))?[\"']?\W{0,4}(\d{1,12})\b", re.IGNORECASE)
_STEP = re.compile(
    r"\b(?:global_?step|step|iteration|iter)[\"']?\W{0,4}(\d{1,12})\b(?:\s?/\s?(\d{1,12}))?",
    re.IGNORECASE,
)
# `np.float64(0.9)`, `tensor(0.5, device='cuda:0')`
_WRAPPED = re.compile(r"(?<![\w.])[A-Za-z_][\w.]{0,40}\(\s?([-+\w.]{1,40})\s?(?:,[^()]{0,200})?\)")
_ENDING_IN_POINT = re.compile(r"(\d)\.(?=[\s,}\]])")
_WORDS = re.compile(r"\b(True|False|None|nan|inf)\b")
_IN_JSON = {"True": "true", "False": "false", "None": "null", "nan": "NaN", "inf": "Infinity"}


class Pattern(NamedTuple):
    """A user's regex: its value is the group `value`, else the only one."""

    name: str
    regex: re.Pattern[str]
    group: str | int


class Logged(NamedTuple):
    """What some lines say.

    Args:
        matched: the points of the user's regexes.
        objects: those of JSON objects and dicts.
        epoch: the epoch that was named last; None if none was.
    """

    matched: list[Point]
    objects: list[Point]
    epoch: float | None


def read_logged(lines: Iterable[bytes], patterns: Sequence[Pattern], epoch: float | None) -> Logged:
    """Return what these lines say.

    Args:
        lines: whole ones, without their ends.
        patterns: the user's.
        epoch: the epoch that was named last before them.
    """
    matched: list[Point] = []
    objects: list[Point] = []
    for line in lines:
        is_object = b"{" in line and line.rstrip().endswith((b"}", b"\x1b[0m"))
        names_epoch = b"poch" in line or b"POCH" in line
        if not (patterns or is_object or names_epoch):
            continue
        text = line[:_LONGEST_OBJECT].decode(errors="replace")
        if "\x1b" in text:
            text = _ESCAPES.sub("", text)
        if is_object:
            raw = _object(text)
            point = None if raw is None else point_of(raw)
            if point is not None:
                step = point.step if point.step is not None else epoch
                objects.append(point._replace(step=step))
                continue
        short = text[:_LONGEST_MATCHED]
        named = _EPOCH.search(short) if names_epoch else None
        if named is not None:
            epoch = float(named[1])
        if patterns:
            values = _values(short, patterns)
            if values:
                _add(matched, Point(_step(short, named is not None, epoch), UNTIMED, values))
    return Logged(matched, objects, epoch)


def _object(text: str) -> Mapping[str, Any] | None:
    text = text[text.index("{") :].rstrip() if "{" in text else ""
    try:
        found = json.loads(text if text[1:2] != "'" else _as_json(text))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _as_json(text: str) -> str:
    """Return a Python dict as JSON; what is none becomes any text."""
    if len(text) > _LONGEST_DICT or '"' in text:
        return ""
    text = _ENDING_IN_POINT.sub(r"\1.0", _WRAPPED.sub(r"\1", text).replace("'", '"'))
    return _WORDS.sub(lambda word: _IN_JSON[word[1]], text)


def _values(text: str, patterns: Sequence[Pattern]) -> dict[str, float]:
    values = {}
    for pattern in patterns:
        match = pattern.regex.search(text)
        value = None if match is None else number_of(match[pattern.group])
        if value is not None:
            values[pattern.name] = value
    return values


def _step(text: str, names_epoch: bool, epoch: float | None) -> float | None:
    """Return the step of a line; a step that has a total starts over with each epoch."""
    match = _STEP.search(text)
    if match is None:
        return epoch
    number = float(match[1])
    if match[2] is None or not names_epoch or epoch is None:
        return number
    total = float(match[2])
    return max(0.0, epoch - 1) + number / total if total else epoch


def _add(points: list[Point], point: Point) -> None:
    last = points[-1] if points else None
    if last is not None and point.step is not None and last.step == point.step:
        last.values.update(point.values)
    else:
        points.append(point)
