"""What `lr=...` means: the values of one parameter, in one notation everywhere.

a,b,c   range(5)   range(1,9,2)   0..9   0..100..10   choice(a,b)   linspace(0,1,5)
geomspace(1e-5,1e-1,5)   glob(conf/*.yaml)   file(list.txt)   and in the place of any value
uniform(0,1)   loguniform(1e-5,1e-1)   randint(1,10)   to be drawn from, alone
"""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import get_close_matches
from typing import NoReturn

from mlq.errors import InvalidInputError
from mlq.sweeps import decimals, distributions
from mlq.sweeps.distributions import Distribution, distribution
from mlq.sweeps.files import Files
from mlq.sweeps.splitting import call, is_unclosed, plain, split

FUNCTIONS = ("range", "choice", "linspace", "geomspace", "glob", "file")

_END = r"[+-]?\d{1,60}(?:\.\d{1,60})?(?:[eE][+-]?\d{1,4})?"
_DOTS = re.compile(rf"({_END})\.\.(?:({_END})(?:\.\.({_END}))?)?", re.ASCII)
_LIKE_A_CALL_OF_OURS = 0.75


def is_sweep(text: str) -> bool:
    """Return whether a text as written has several values: a comma, a function, `0..9`."""
    parts = split(text)
    return len(parts) > 1 or bool(_DOTS.fullmatch(parts[0])) or _function(parts[0]) is not None


def parse(name: str, text: str, files: Files) -> tuple[str, ...] | Distribution:
    """Return the values of a parameter, as the job gets them, or what to draw them from.

    Args:
        name: of the parameter, for messages.
        text: what was typed for it.
        files: for `glob` and `file`.

    Raises:
        InvalidInputError: a value cannot be read, or there is none.
    """
    parts = split(text)
    drawn = [part for part in parts if (_function(part) or ("",))[0] in distributions.NAMES]
    if drawn and len(parts) > 1:
        raise InvalidInputError(
            f"{name}={text} cannot be used",
            why=f"{drawn[0]} draws from all values, so none can be named beside it",
        )
    if drawn:
        kind, inside = call(parts[0]) or ("", "")
        return distribution(f"{name}={parts[0]}", kind, split(inside))
    found: list[str] = []
    for part in parts:
        if not part:
            _refuse_nothing(name, text)
        if is_unclosed(part, FUNCTIONS):
            raise InvalidInputError(
                f"{name}={text} cannot be used",
                why=f"the bracket of {part} is never closed",
                fix="a text of that form can stand in a table: --from FILE",
            )
        found += _expanded(name, part, files)
    if not found:
        raise InvalidInputError(
            f"{name}={text} has no values",
            why=_why_none(text),
            fix=f"name some, such as {name}=1,2, or leave it out",
        )
    return tuple(found)


def _refuse_nothing(name: str, text: str) -> NoReturn:
    if not text.strip():
        raise InvalidInputError(f"{name} has no values", fix=f"write {name}=1,2,3 or leave it out")
    raise InvalidInputError(
        f"{name}={text} has a value that is empty",
        why="there is nothing before or after a comma",
        fix="leave out the comma; an empty value can stand in a table: --from FILE",
    )


def _why_none(text: str) -> str:
    return "no file has such a name" if text.startswith("glob(") else "nothing is in it"


def _function(part: str) -> tuple[str, str] | None:
    found = call(part)
    return found if found and found[0] in {*FUNCTIONS, *distributions.NAMES} else None


def _expanded(name: str, part: str, files: Files) -> list[str]:
    """Return the values that one part means."""
    dots = _DOTS.fullmatch(part)
    if dots:
        return _dotted(name, part, *dots.groups())
    found = call(part)
    if not found:
        return [plain(part)]
    what, (function, inside) = f"{name}={part}", found
    arguments = split(inside)
    if function in {"linspace", "geomspace"}:
        return _points(what, function, arguments)
    if function == "range":
        return _range(what, arguments)
    if function in {"choice", "glob", "file"}:
        return _listed(what, function, inside, files)
    _refuse_misspelt(what, function, arguments)
    return [plain(part)]


def _listed(what: str, function: str, inside: str, files: Files) -> list[str]:
    """Return the values that `choice`, `glob` and `file` mean."""
    if function == "glob":
        return [one for pattern in split(inside) for one in files.glob(plain(pattern))]
    if function == "file":
        return files.lines(plain(inside.strip()))
    parsed = parse(what.partition("=")[0], inside, files)
    if isinstance(parsed, Distribution):
        raise InvalidInputError(f"{what} cannot be used", why="a choice is among values")
    return list(parsed)


def _refuse_misspelt(what: str, function: str, arguments: list[str]) -> None:
    """Refuse `rnage(5)` or Hydra's `interval(0,1)`; `Adam(0.1)` and `f(x)` are text."""
    if not all(decimals.number(one) is not None for one in arguments):
        return
    known = (*FUNCTIONS[:1], *FUNCTIONS[2:4], *distributions.NAMES)
    near = get_close_matches(function.lower(), known, n=1, cutoff=_LIKE_A_CALL_OF_OURS)
    if function == "interval":
        near = ["uniform"]
    if near:
        meant = f"{near[0]}({','.join(arguments)})"
        raise InvalidInputError(
            f"{what} is no function of a sweep",
            fix=f"did you mean {meant}? A text of that form can stand in a table: --from FILE",
        )


def _dotted(name: str, part: str, first: str, end: str | None, step: str | None) -> list[str]:
    what = f"{name}={part}"
    if end is None:
        raise InvalidInputError(
            f"{what} has no end", why="it would never stop", fix=f"write {name}={first}..9"
        )
    low, high = Decimal(first), Decimal(end)
    by = Decimal(1 if high >= low else -1) if step is None else Decimal(step)
    found = decimals.steps(what, low, high, by, ends=True)
    if not found:
        raise InvalidInputError(f"{what} has no values", why="its step leads away from its end")
    padded = next((one for one in (first, end) if re.fullmatch(r"0\d+", one)), "")
    whole = all(one.isdecimal() for one in (first, end, *found))
    return [one.zfill(max(len(first), len(end))) for one in found] if padded and whole else found


def _range(what: str, arguments: list[str]) -> list[str]:
    numbers = _numbers(what, arguments, "a start, an end and a step", (1, 2, 3))
    first, end = (Decimal(0), numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else Decimal(1)
    found = decimals.steps(what, first, end, step, ends=False)
    if not found:
        raise InvalidInputError(
            f"{what} has no values",
            why="the end of a range is not part of it, as in Python",
            fix="write for example range(5), or 1..5 with both ends",
        )
    return found


def _points(what: str, function: str, arguments: list[str]) -> list[str]:
    numbers = _numbers(what, arguments, "the first, the last, and how many", (3,))
    if numbers[2] != numbers[2].to_integral_value() or abs(numbers[2]) > decimals.LARGEST:
        raise InvalidInputError(
            f"{what} cannot be used",
            why=f"how many must be a whole number, at most {decimals.LARGEST:,}",
        )
    points = decimals.linspace if function == "linspace" else decimals.geomspace
    return points(what, numbers[0], numbers[1], int(numbers[2]))


def _numbers(
    what: str, arguments: list[str], meaning: str, counts: tuple[int, ...]
) -> list[Decimal]:
    found = [decimals.number(one) for one in arguments]
    numbers = [one for one in found if one is not None]
    if arguments == [""] or (len(arguments) > 1 and arguments[1] == ""):
        raise InvalidInputError(
            f"{what} has no end", why="it would never stop", fix="write for example range(5)"
        )
    if len(numbers) != len(found) or len(numbers) not in counts:
        raise InvalidInputError(
            f"{what} cannot be used",
            why=f"it takes {' or '.join(map(str, counts))} numbers: {meaning}",
        )
    return numbers
