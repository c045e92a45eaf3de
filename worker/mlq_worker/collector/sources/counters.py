"""Finds what counts in a log: tqdm's bars, `Epoch 3/60`, `[3/60]`.

Pure text to counts; what they say of the job is decided in `mlq_worker.collector.loops`. A bar that
lies below another one is told by the cursor: tqdm moves it up again after it has drawn such a bar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["bar", "epoch", "word", "bracket"]


class Count(NamedTuple):
    """What a log says once of one loop.

    Args:
        kind: how it is written.
        label: the words before it, without numbers: the same for the same loop.
        number, total: how far it is.
        level: 0 for an outermost loop, as far as the text tells.
        elapsed_s: since the loop began. left_s: until its end. None if it does not tell.
    """

    kind: Kind
    label: str
    number: float
    total: float
    level: int = 0
    elapsed_s: float | None = None
    left_s: float | None = None


_ENDS = re.compile(r"[\r\n]+")
_UP = "\x1b[A"
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[@-~]|[@-Z\\-_])")
_LONGEST = 500
_BAR = re.compile(
    r"(?P<label>[^|\r\n]{0,400}?)\d{1,3}%\|[^|]{0,400}\|\s{0,3}"
    r"(?P<number>\d[\d.]{0,14}[kMGTP]?)[A-Za-z]{0,6}/(?P<total>\d[\d.]{0,14}[kMGTP]?)[A-Za-z]{0,6}"
    r"\s\[(?P<elapsed>[\d:]{1,12})<(?P<left>[\d:]{1,12}|\?)"
)
_LEADING = re.compile(r"(?P<number>\d{1,9})/(?P<total>\d{1,9})\s")
_SHORT_BAR = re.compile(r"(?P<number>\d{1,9})/(?P<total>\d{1,9})\s{1,3}(?:\[[=>.]|[\u2501\u2578])")
_WORD = re.compile(
    r"\b(?P<word>epoch|ep|iteration|iter|step|round|fold|trial|episode|generation|update|batch)s?"
    r"(?:\s?\(\w{1,20}\))?\W{0,4}(?P<number>\d{1,12})\s?(?:/|of)\s?(?P<total>\d{1,12})(?![\d/]|\.\d)",
    re.IGNORECASE,
)
_BRACKET = re.compile(
    r"[\[(]\s{0,9}(?P<number>\d{1,12})\s?/\s?(?P<total>\d{1,12})"
    r"(?:\s?\(\s{0,3}[\d.]{1,6}\s?%\))?\s{0,3}[\])]"
)
_LONG = frozenset(("epoch", "ep", "round", "fold", "trial", "episode", "generation"))
_IN_EPOCH = re.compile(r"\bepoch(?:\s?\(\w{1,20}\))?\W{0,4}\d", re.IGNORECASE)
_MEASURED = re.compile(r"[A-Za-z_]\W{1,3}-?\d")
_NUMBERS = re.compile(r"\d+")
_UNITS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


def counts_in(text: str) -> Iterator[Count]:
    """Yield what each line, or each state of a bar, of a part of a log says."""
    for piece in _ENDS.split(text):
        if "/" not in piece and " of " not in piece:
            continue
        level = piece.count(_UP)
        plain = _ESCAPES.sub("", piece)
        if "%|" in plain:
            yield from _bar(plain, level)
        elif len(plain) <= _LONGEST:
            yield from _in_line(plain)


def _bar(plain: str, level: int) -> Iterator[Count]:
    match = _BAR.match(plain)
    if match is None:
        return
    label = match["label"].strip(" :")
    number, total = _amount(match["number"]), _amount(match["total"])
    outer = next(_in_line(label), None) or _leading(label)
    if outer is not None:
        yield outer
    if outer is not None or _IN_EPOCH.search(label):
        level = max(level, 1)  # it begins anew with each epoch
    elapsed_s, left_s = _seconds(match["elapsed"]), _seconds(match["left"])
    yield Count("bar", _NUMBERS.sub("#", label)[:100], number, total, level, elapsed_s, left_s)


def _leading(label: str) -> Count | None:
    """Return the epochs that Ultralytics writes before its bar: `1/100  0.5G  1.2: 37%|`."""
    match = _LEADING.match(label)
    if match is None:
        return None
    return Count("bracket", "", max(0.0, float(match["number"]) - 1), float(match["total"]))


def _in_line(plain: str) -> Iterator[Count]:
    """Yield the counts of a line; the first is of the outermost loop."""
    short = _SHORT_BAR.match(plain.lstrip(" \b\t"))
    if short is not None:
        yield Count("bar", "", float(short["number"]), float(short["total"]), 1)
        return
    words = list(_WORD.finditer(plain))
    brackets = [
        match
        for match in _BRACKET.finditer(plain)
        if not any(one.start() <= match.end() and match.start() <= one.end() for one in words)
    ]
    is_inner = _IN_EPOCH.search(plain) is not None
    for match in words:
        word = match["word"].lower()
        kind: Kind = "epoch" if word in ("epoch", "ep") else "word"
        number = float(match["number"])
        is_end = len(words) + len(brackets) == 1 and _MEASURED.search(plain, match.end())
        if word in _LONG and not is_end:
            number = max(0.0, number - 1)  # it has begun; a line with values reports its end
        level = int(is_inner and kind != "epoch")
        yield Count(kind, word, number, float(match["total"]), level)
        is_inner = True
    for match in brackets:
        number, total = float(match["number"]), float(match["total"])
        label = _label(plain, match.start())
        level = int(is_inner or label.endswith("#"))  # `Train: 3 [100/1251]`
        yield Count("bracket", label, number, total, level)
        is_inner = True


def _label(plain: str, end: int) -> str:
    return _NUMBERS.sub("#", plain[max(0, end - 20) : end].strip())


def _amount(text: str) -> float:
    unit = _UNITS.get(text[-1], 1.0)
    try:
        return float(text.rstrip("kMGTP")) * unit
    except ValueError:
        return 0.0


def _seconds(text: str) -> float | None:
    """Return what tqdm means by `03:20` or `1:02:03`; None for `?`."""
    seconds = 0.0
    for part in text.split(":"):
        if not part.isdecimal():
            return None
        seconds = 60 * seconds + int(part)
    return seconds
