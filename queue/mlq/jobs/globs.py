"""Names as globs (`lr-*`): which names match, and which the server can drop first.

The rules are those of the shell, and case matters: `*`, `?`, `[abc]`, `[!abc]`. A
queue may have a hundred thousand names, so the server first drops those that lack the literal parts
of the glob. Invariant: the sieve lets through every name that the glob matches.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_SPECIAL = re.compile(r"\[!?\]?[^\]]*\]|[*?]")


class Sieve(NamedTuple):
    """What a name must begin with, contain in this order, and end with."""

    starts: str = ""
    has: tuple[str, ...] = ()
    ends: str = ""


def is_glob(text: str) -> bool:
    """Return whether this is a glob and not a plain name."""
    return any(one in text for one in "*?[")


def sieve_of(glob: str) -> Sieve:
    """Return the literal parts that every matching name has."""
    first, *rest = _SPECIAL.split(glob)
    if not rest:
        return Sieve(first)
    return Sieve(first, tuple(part for part in rest[:-1] if part), rest[-1])


def only(name: str) -> str:
    """Return a glob that matches only this name; a glob means all jobs of a name, not just one."""
    quoted = re.sub(r"[*?[]", r"[\g<0>]", name)
    return quoted if quoted != name else f"{name[:-1]}[{name[-1]}]"


def matches(name: str, glob: str) -> bool:
    """Return whether the glob matches the name."""
    return _compiled(glob).fullmatch(name) is not None


@lru_cache(maxsize=16)
def _compiled(glob: str) -> re.Pattern[str]:
    import fnmatch  # imports posixpath and more: not for a command that has no glob

    return re.compile(fnmatch.translate(glob))
