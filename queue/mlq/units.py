"""Sizes, durations and times, as people type them and as mlq keeps them.

Inside mlq a size is a whole number of MiB, a duration is seconds and a moment is unix seconds or
its ISO 8601 text in UTC. This is the only place where any of them is read from or turned into
text, so `8G` means the same in every option, file and table.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mlq.errors import InvalidInputError

_NUMBER = r"\d{1,15}(?:\.\d{1,9})?"
# Compiled on first use, not at import: commands that only show jobs parse no typed values.
_SIZE = rf"\s*({_NUMBER})\s*(?:([kmgt])(?:i?b)?)?\s*"
_DURATION = r"\s*" + "".join(rf"(?:({_NUMBER})\s*{unit}\s*)?" for unit in "dhms")
_PLAIN = rf"\s*({_NUMBER})\s*"
_TYPED = re.ASCII | re.IGNORECASE

_KIB = {"k": 1, "m": 1024, "g": 1024**2, "t": 1024**3}
_LARGEST_MIB = 1024**3
_UNIT_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST_S = 100 * 366 * 86400


def parse_size(text: str) -> int:
    """Return a typed size in MiB, rounded up: `8G`, `512M`, `1.5G`, `300` (MiB).

    Units are powers of 1024, as in the memory requests of Slurm and HTCondor; `G`, `GB` and `GiB`
    are the same.

    Raises:
        InvalidInputError: it is not a size, or less than 1 MiB.
    """
    kib = _kib_of(text)
    if kib < _KIB["m"]:
        raise InvalidInputError(f"the size {text!r} is too small", why="at least 1 MiB is needed")
    if kib > _LARGEST_MIB * _KIB["m"]:
        raise InvalidInputError(f"the size {text!r} is too large", why="no machine has that much")
    return int(-(-kib // _KIB["m"]))


def parse_bytes(text: str) -> int:
    """Return a typed size in bytes: `500K`, `100M`, `1.5G`, `300` (MiB, as for `parse_size`).

    Raises:
        InvalidInputError: it is not a size.
    """
    return round(_kib_of(text) * 1024)


def _kib_of(text: str) -> float:
    match = re.fullmatch(_SIZE, text, _TYPED)
    if not match:
        raise InvalidInputError(
            f"{text!r} is not a size", fix="write for example 8G, 512M, or a number of MiB"
        )
    number, unit = match.groups()
    return float(number) * _KIB[(unit or "m").lower()]


def format_mib(mib: int) -> str:
    """Return a size as a person writes it, exactly: `8G`, `1.5G`, `512M`, `9001M`."""
    if mib >= 1024 and mib % 256 == 0:
        whole, quarters = divmod(mib, 1024)
        return f"{whole}{('', '.25', '.5', '.75')[quarters // 256]}G"
    return f"{mib}M"


def rounded_mib(mib: int) -> str:
    """Return a measured size, rounded to the digits that matter: `512M`, `8G`, `10.7G`."""
    if mib < 1024:
        return f"{mib}M" if mib else "0"
    gib = mib / 1024
    return f"{gib:.0f}G" if gib >= 100 or abs(gib - round(gib)) < 0.05 else f"{gib:.1f}G"


def parse_duration(text: str) -> float:
    """Return a typed duration in seconds: `90m`, `2h`, `1d12h`, `1.5h`, `45s`.

    Raises:
        InvalidInputError: it is not a duration, or not more than 0. A number without a unit is
            refused: Slurm reads it as minutes, most other tools as seconds, and a job that ends 60
            times too early is lost.
    """
    plain = re.fullmatch(_PLAIN, text, _TYPED)
    match = re.fullmatch(_DURATION, text, _TYPED)
    if plain and float(plain[1]) > 0:
        raise InvalidInputError(
            f"the duration {text!r} has no unit",
            why="Slurm would read it as minutes, others as seconds",
            fix=f"write {plain[1]}m for minutes, {plain[1]}s for seconds",
        )
    if match and any(match.groups()):
        pairs = zip(match.groups(), _UNIT_S.values(), strict=True)
        seconds = sum(float(number) * unit_s for number, unit_s in pairs if number)
    else:
        raise InvalidInputError(
            f"{text!r} is not a duration",
            fix=_as_slurm_means(text) or "write for example 90m, 2h, 1d12h or 45s",
        )
    return checked_duration(seconds, text)


def checked_duration(seconds: float, text: object) -> float:
    """Return this many seconds if a duration may be so long; `text` is what the user typed.

    Raises:
        InvalidInputError: it is not more than 0, or absurdly long.
    """
    if not 0 < seconds <= _LONGEST_S:
        raise InvalidInputError(
            f"the duration {text!r} cannot be used",
            why="it is longer than a century" if seconds > 0 else "it must be more than 0",
        )
    return seconds


def _as_slurm_means(text: str) -> str:
    """Return a duration in Slurm's notation as mlq writes it; "" if it is not in Slurm's notation.

    Minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes(:seconds).
    """
    match = re.fullmatch(r"(?:(\d{1,6})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?", text.strip())
    if not match or not (match[1] or match[3]):
        return ""
    days, *rest = match.groups()
    numbers = [int(part) for part in rest if part]
    units = "hms" if days or len(numbers) == 3 else "ms"
    pairs = [(int(days or 0), "d"), *zip(numbers, units, strict=False)]
    parts = [f"{number}{unit}" for number, unit in pairs if number]
    return f"as Slurm reads it, that is {''.join(parts)}: write that" if parts else ""


def format_duration(seconds: float) -> str:
    """Return a duration by its two largest units: `0.5s`, `45s`, `3m20s`, `2h`, `1d12h`."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    rest, parts = round(seconds), []
    for unit, unit_s in _UNIT_S.items():
        count, rest = divmod(rest, unit_s)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return "".join(parts)


def utc_iso(unix_s: float) -> str:
    """Return a moment as `2026-11-23T22:15:01.123456Z`; such texts sort by time."""
    moment = datetime.fromtimestamp(unix_s, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"


def utc_stamp(unix_s: float) -> str:
    """Return a moment as `20261123T221501Z`, for the name of a file."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def parse_iso(text: str) -> float:
    """Return the unix time of an ISO 8601 text; one without a zone is UTC, as rq writes them.

    Raises:
        InvalidInputError: it is not such a text.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{text!r} is not an ISO 8601 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_start(text: str, now_s: float) -> float:
    """Return the unix time that a user typed for a start: `2h`, `18:00`, `2026-12-01 09:00`.

    A duration counts from now, a time of day means its next occurrence, and a date begins at
    midnight. Times are in this machine's zone unless they name one.

    Args:
        text: what was typed.
        now_s: the present, unix time.

    Raises:
        InvalidInputError: it is not a time, or has passed.
    """
    now = datetime.fromtimestamp(now_s)  # as the person at this machine types
    of_day = re.fullmatch(r"\s*(\d{1,2}):(\d\d)(?::(\d\d))?\s*", text, re.ASCII)
    try:
        if of_day:
            hour, minute, second = (int(part or 0) for part in of_day.groups())
            at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            at_s = (at + timedelta(days=at <= now)).timestamp()
        else:
            at_s = datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        try:
            return now_s + parse_duration(text)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"{text!r} is no time to start at",
                why=error.why,
                fix=(error.fix if error.why else "")
                or "write for example 2h, 18:00 or '2026-12-01 09:00'",
            ) from None
    if at_s <= now_s:
        raise InvalidInputError(f"{text!r} is over", why=f"it is {now:%Y-%m-%d %H:%M} now")
    return at_s


def format_bytes(count: int) -> str:
    """Return a number of bytes as a person reads it: `340B`, `1.2K`, `48M`, `1.5G`."""
    size, unit = float(count), "B"
    for larger in "KMGT":
        if size < 1000:
            break
        size, unit = size / 1024, larger
    fine = unit != "B" and size < 10
    return (f"{size:.1f}".removesuffix(".0") if fine else f"{size:.0f}") + unit
