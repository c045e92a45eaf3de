"""A unified diff in colours, and the table of which files differ: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlq_cli.render.clean import clean
from mlq_cli.render.style import Style
from mlq_cli.render.words import count

_KINDS = (("+++", "strong"), ("---", "strong"), ("@@", "busy"), ("+", "good"), ("-", "bad"))
_HEAD = ("diff ", "index ", "new file ", "deleted file ", "old mode", "new mode")
_TAB = 8
_BAR = 40


class Changed(NamedTuple):
    """How much a file differs.

    Args:
        path: the file's path.
        added, deleted: numbers of lines; None for a binary file.
    """

    path: str
    added: int | None
    deleted: int | None


def painted(text: str, style: Style) -> Iterator[str]:
    """Return the lines of a diff as they are shown on a terminal."""
    for line in text.splitlines():
        kind = next((kind for start, kind in _KINDS if line.startswith(start)), "")
        if line.startswith(_HEAD):
            kind = "strong"
        yield style.paint(clean(line.expandtabs(_TAB)), kind)


def changes_of(numstat: bytes) -> list[Changed]:
    """Parse the output of `git diff --no-index --numstat -z` for the folders `a` and `b`."""
    words = iter(numstat.decode("utf-8", "surrogateescape").split("\0"))
    found = []
    for word in words:
        if not word:
            continue
        added, deleted, path = word.split("\t")
        old, new = (path, path) if path else (next(words), next(words))
        shown = new if new.startswith("b/") else old
        numbers = [None if one == "-" else int(one) for one in (added, deleted)]
        found.append(Changed(shown[2:], *numbers))
    return found


def stat_lines(changes: Sequence[Changed], style: Style) -> Iterator[str]:
    """Return a line for each file and a line for the total, as `git diff --stat` prints them."""
    width = max((len(clean(one.path)) for one in changes), default=0)
    most = max(((one.added or 0) + (one.deleted or 0) for one in changes), default=0)
    for one in changes:
        name = f" {clean(one.path):<{width}} | "
        if one.added is None or one.deleted is None:
            yield f"{name}{'binary':>{len(str(most))}}"
            continue
        scale = min(1.0, _BAR / most) if most else 1.0
        bars = (
            style.paint(sign * (number and max(1, round(number * scale))), kind)
            for number, sign, kind in ((one.added, "+", "good"), (one.deleted, "-", "bad"))
        )
        yield f"{name}{one.added + one.deleted:>{len(str(most))}} {''.join(bars)}".rstrip()
    added = sum(one.added or 0 for one in changes)
    deleted = sum(one.deleted or 0 for one in changes)
    yield f" {count(len(changes), 'file')} changed, {count(added, 'line')} added, {deleted} deleted"
