"""What `queue` asks for: how often, and with which values of which macros.

queue 10
queue 2 lr, seed from values.txt
queue file matching files *.yaml
queue name in [0:5] (a, b, c)
queue x from ./values.sh |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.scripts.condor.arithmetic import number
from mlq.scripts.condor.lines import Line
from mlq.scripts.where import Edges, Where

MOST = 1_000_000
_KEYWORD = re.compile(r"(?:^|\s)(in|from|matching)(?=[\s(\[]|$)", re.IGNORECASE | re.ASCII)
_SLICE = re.compile(r"\[\s*(-?\d*)\s*(?::\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?)?\]\s*", re.ASCII)
_KIND = re.compile(r"(files|dirs|any)\s+", re.IGNORECASE)
_COUNT = re.compile(r"[\d\s+\-*/%().]+")
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SEPARATORS = re.compile(r"\s*,\s*|\s+")


class Queue(NamedTuple):
    """A `queue` statement.

    Args:
        times: how many jobs each row makes.
        rows: the values of macros, by lower-case names, and the row's number; of all rows chosen.
    """

    times: int
    rows: tuple[tuple[int, dict[str, str]], ...]

    def jobs(self) -> Iterator[dict[str, str]]:
        """Return what each job is told: its row, its step, and the values of its row."""
        for index, values in self.rows:
            for step in range(self.times):
                told = {"row": str(index), "itemindex": str(index), "step": str(step)}
                yield told | values


def read_queue(text: str, listed: Sequence[Line], where: Where, edges: Edges) -> Queue:
    """Return what a `queue` statement asks for.

    Args:
        text: what follows the word, with its macros expanded.
        listed: the lines of its list, if that goes on after this line.
        where: where the file is submitted.
        edges: reads files, runs pipes, looks up globs.

    Raises:
        InvalidInputError: it cannot be read, or asks for no job, or far too many.
    """
    match = _KEYWORD.search(text)
    head, rest = (text, "") if match is None else (text[: match.start()], text[match.end() :])
    count, names = _head(head.strip())
    if match is None:
        if names:
            raise InvalidInputError(f"{head.strip()!r} is no number of jobs")
        rows: list[dict[str, str]] = [{}]
        return Queue(_checked(count, 1), tuple(enumerate(rows)))
    keyword = match[1].lower()
    kind = _KIND.match(rest.strip()) if keyword == "matching" else None
    rest = rest.strip()[kind.end() :] if kind else rest.strip()
    chosen = _SLICE.match(rest)
    rest = rest[chosen.end() :] if chosen else rest
    if keyword == "from":
        rows = [_row(line, names) for line in _lines(rest, listed, where, edges)]
    else:
        items = _SEPARATORS.split(_flat(rest, listed).strip(" ,"))
        if keyword == "matching":
            items = _matching(items, kind[1].lower() if kind else "any", where, edges)
        rows = [{(names or ["item"])[0]: item} for item in items if item]
    indexed = list(enumerate(rows))
    if chosen:
        indexed = indexed[_slice(chosen)]
    return Queue(_checked(count, len(indexed)), tuple(indexed))


def _head(text: str) -> tuple[int, list[str]]:
    """Return the count and the names of macros before `in`, `from` or `matching`."""
    words = [word for word in _SEPARATORS.split(text) if word]
    names: list[str] = []
    while words and _VARIABLE.fullmatch(words[-1]):
        names.insert(0, words.pop().lower())
    left = " ".join(words)
    if left and _COUNT.fullmatch(left) is None:
        raise InvalidInputError(f"{left!r} is no number of jobs")
    return (int(number(left)) if left else 1), names


def _checked(count: int, rows: int) -> int:
    if rows == 0:
        raise InvalidInputError("queue finds no item", why="it would submit no job")
    if not 1 <= count <= MOST or count * rows > MOST:
        raise InvalidInputError(f"queue asks for {count * rows} jobs", why=f"1 to {MOST} are taken")
    return count


def _flat(rest: str, listed: Sequence[Line]) -> str:
    text = " ".join([rest, *(line.text for line in listed)]).strip()
    return text.removeprefix("(").removesuffix(")")


def _lines(rest: str, listed: Sequence[Line], where: Where, edges: Edges) -> list[str]:
    if rest.startswith("("):
        inner = [rest[1:], *(line.text for line in listed)]
        inner[-1] = inner[-1].removesuffix(")")
        found = inner
    elif rest.endswith("|"):
        found = edges.run(rest[:-1].strip()).splitlines()
    elif rest:
        path = rest if rest.startswith("/") else f"{where.folder}/{rest}"
        found = edges.read(path).splitlines()
    else:
        raise InvalidInputError("from names no file")
    # A blank line or a comment was never meant to be a job.
    stripped = [line.strip() for line in found]
    return [line for line in stripped if line and not line.startswith("#")]


def _row(line: str, names: Sequence[str]) -> dict[str, str]:
    """Return the values in a line; the last macro takes what the others leave."""
    values = {}
    rest = line
    for name in names[:-1]:
        value, *after = _SEPARATORS.split(rest, maxsplit=1)
        values[name], rest = value, after[0] if after else ""
    values[names[-1] if names else "item"] = rest
    return values


def _matching(globs: Sequence[str], kind: str, where: Where, edges: Edges) -> list[str]:
    found: dict[str, None] = {}
    for one in globs:
        if not one:
            continue
        is_absolute = one.startswith("/")
        for path in edges.matching(one if is_absolute else f"{where.folder}/{one}"):
            is_folder = edges.is_folder(path)
            if kind == "any" or (kind == "dirs") == is_folder:
                shown = path if is_absolute else path.removeprefix(f"{where.folder}/")
                found[f"{shown}/" if is_folder else shown] = None
    return list(found)


def _slice(match: re.Match[str]) -> slice:
    start, stop, step = (int(part) if part else None for part in match.groups())
    if step == 0:
        raise InvalidInputError(f"{match[0].strip()} has a step of 0")
    return slice(start, stop, step)
