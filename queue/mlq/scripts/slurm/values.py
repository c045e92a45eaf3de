"""Slurm's ways to write times, sizes, numbers, GPUs, machines and jobs."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNLIMITED = ("infinite", "unlimited", "-1", "0")
_MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}
_SIZE = r"\s*(\d{1,12})\s*(?:([kmgt])(?:i?b)?)?\s*"
_LARGEST_LIST = 10_000


class Gpus(NamedTuple):
    """A number of GPUs, of a model whose name contains `kind`; "" for any."""

    number: int
    kind: str = ""


def seconds(text: str) -> float | None:
    """Return a time limit in seconds; None for no limit.

    The forms are minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes
    and days-hours:minutes:seconds.

    Raises:
        ValueError: it has none of them.
    """
    if text.strip().lower() in _UNLIMITED:
        return None
    match = re.fullmatch(
        r"\s*(?:(\d{1,6})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?\s*", text, re.ASCII
    )
    if match is None:
        raise ValueError(
            "a time is minutes, minutes:seconds, hours:minutes:seconds, days-hours,"
            " days-hours:minutes or days-hours:minutes:seconds"
        )
    days, *rest = match.groups()
    numbers = [int(one) for one in rest if one is not None]
    if days is None:
        # One or two numbers are minutes (and seconds).
        numbers = numbers if len(numbers) == 3 else [0, *numbers]
    hours, minutes, secs = [*numbers, 0, 0][:3]
    total = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + secs
    return float(total) or None


def mib(text: str) -> int:
    """Return a size in MiB, rounded up; a plain number is MiB. 0 means all that there is.

    Raises:
        ValueError: it is no size.
    """
    match = re.fullmatch(_SIZE, text, re.ASCII | re.IGNORECASE)
    if match is None:
        raise ValueError("a size is a whole number and K, M, G or T; without one of them, MiB")
    return -int(-(int(match[1]) * _MIB[(match[2] or "m").lower()]) // 1)


def whole(text: str, least: int = 1) -> int:
    """Return a whole number.

    Raises:
        ValueError: it is none, or less than `least`.
    """
    if not re.fullmatch(r"\s*\d{1,9}\s*", text, re.ASCII) or int(text) < least:
        raise ValueError(f"a whole number from {least} on is needed")
    return int(text)


def gpus(text: str) -> Gpus:
    """Return what `--gpus` and its like ask for: `2`, `a100`, `a100:2`.

    Raises:
        ValueError: it is not of that form, or asks for two models.
    """
    parts = [one.strip() for one in text.split(",") if one.strip()]
    if len(parts) > 1:
        raise ValueError("one job gets GPUs of one model")
    if not parts:
        raise ValueError("a number of GPUs is needed")
    kind, colon, count = parts[0].rpartition(":")
    if not colon and not parts[0].isdecimal():
        return Gpus(1, parts[0])
    return Gpus(whole(count, 0), kind)


def gres(text: str) -> tuple[Gpus | None, tuple[str, ...]]:
    """Return the GPUs that `--gres` asks for, and the other resources.

    Raises:
        ValueError: it cannot be read, or asks for GPUs of two models.
    """
    found: Gpus | None = None
    others = []
    for one in text.split(","):
        name, colon, rest = re.sub(r"^gres[/:]", "", one.strip()).partition(":")
        if name == "gpu":
            if found is not None:
                raise ValueError("one job gets GPUs of one model")
            found = gpus(rest) if colon else Gpus(1)
        elif name and name.lower() != "none":
            others.append(name)
    return found, tuple(others)


def machines(text: str) -> tuple[str, ...]:
    """Return the names that a list of nodes has: `gpu01,gpu[03-05,9]`.

    Raises:
        ValueError: it cannot be read, or has too many names.
    """
    found: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        names = [""]
        for literal, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", part.strip()):
            ends = [literal] if literal else numbers(ranges)
            if len(names) * len(ends) + len(found) > _LARGEST_LIST:
                raise ValueError(f"a list of machines has at most {_LARGEST_LIST:,}")
            names = [name + end for name in names for end in ends]
        found += [one for one in names if one]
    if not found or text.count("[") != text.count("]"):
        raise ValueError("names of machines are needed: gpu01,gpu[03-05]")
    return tuple(dict.fromkeys(found))


def numbers(ranges: str) -> list[str]:
    """Return the numbers of `03-05,9`, with their leading zeros.

    Raises:
        ValueError: it cannot be read.
    """
    found = []
    for one in ranges.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", one, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if match is None or last < first or last - first >= _LARGEST_LIST:
            raise ValueError("between brackets stand numbers and ranges: gpu[03-05,9]")
        found += [str(number).zfill(len(match[1])) for number in range(first, last + 1)]
    return found


def quoted_list(text: str) -> list[str]:
    """Return the parts between commas; quotes keep a comma and are dropped."""
    parts, quote = [""], ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
            parts[-1] += sign if quote else ""
        elif sign in "'\"":
            quote = sign
        elif sign == ",":
            parts.append("")
        else:
            parts[-1] += sign
    return [one for one in parts if one]


def start(text: str) -> str:
    """Return a `--begin` as `mlq enqueue --at` takes it.

    Raises:
        ValueError: it is none of Slurm's forms that mlq knows.
    """
    word = text.strip().lower()
    if word == "now":
        return "1s"
    ahead = re.fullmatch(r"now\s*\+\s*(\d{1,9})\s*([a-z]*)", word, re.ASCII)
    if ahead:
        units = {"": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
        unit = ahead[2].removesuffix("s")
        if unit in units:
            return f"{int(ahead[1]) * units[unit] or 1}s"
    named = {"midnight": "00:00", "noon": "12:00", "fika": "15:00", "teatime": "16:00"}
    if word in named:
        return named[word]
    clock = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*(am|pm)?", word, re.ASCII)
    if clock:
        hour = int(clock[1]) % 12 + 12 * (clock[4] == "pm") if clock[4] else int(clock[1])
        return f"{hour:02d}:{clock[2]}:{clock[3] or '00'}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d(t\d\d:\d\d(:\d\d)?)?", word, re.ASCII):
        return word.upper()
    raise ValueError("mlq reads now+1hour, 16:00, 2026-12-01 and 2026-12-01T16:00")
