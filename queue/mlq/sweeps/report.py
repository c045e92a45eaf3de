"""The outcome of enqueueing a sweep, and its text for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlq.sweeps.standing import ORDER

_NAMED = 4


class SweepReport(NamedTuple):
    """The outcome of enqueueing a sweep, or of a dry run.

    Args:
        number: its job number; 0 if it has none yet.
        name: its name.
        members: how its members stood: `new`, `done`, `failed`, ... -> how many.
        ids: of the jobs that were made.
        other_code: how many of the done ran other code than is enqueued now, and were left alone.
        changed: the files in which that code differs, as far as known.
        let_go: why the sweep was held until now, since its first members failed; "" if it was not.
        would_make: how many jobs a dry run would have made; None if it was no dry run.
        chosen: for memory that was `auto`, what was chosen, and from how many runs.
    """

    number: int
    name: str
    members: Mapping[str, int]
    ids: tuple[str, ...]
    other_code: int = 0
    changed: tuple[str, ...] = ()
    let_go: str = ""
    would_make: int | None = None
    chosen: tuple[str, ...] = ()

    @property
    def enqueued(self) -> int:
        """How many jobs were made."""
        return len(self.ids)

    def lines(self) -> list[str]:
        """Return the lines to print."""
        total = sum(self.members.values())
        parts = ", ".join(f"{self.members[one]} {one}" for one in ORDER if self.members.get(one))
        noun = "member" if total == 1 else "members"
        which = f"{self.number} {self.name}" if self.number else self.name
        would = self.would_make is not None
        made = f"{self.would_make} would be" if would else str(self.enqueued)
        lines = [f"sweep {which}: {total} {noun}: {parts}; {made} enqueued"]
        if self.other_code:
            lines.append(
                f"  {self.other_code} of the done ran other code{self._which()}: "
                "--again code runs them"
            )
        if self.let_go:
            lines.append(
                f"  it was held ({self.let_go}), and {'would be' if would else 'is'} let go"
            )
        return lines

    def _which(self) -> str:
        if not self.changed:
            return ""
        named, more = self.changed[:_NAMED], len(self.changed) - _NAMED
        also = f" and {more} more" if more > 0 else ""
        return f" ({', '.join(named)}{also} changed)"
