"""How a running job is held back on its machine, as its hash says it in `mlq_restraint`.

The worker writes it when it changes, and people read it in the words of `in_words`. Standard
library only, since `mlq ls` reads it.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from mlq.lenient import int_or, list_or_empty


class Restraint(NamedTuple):
    """Why a running job does not run, or runs on fewer cores.

    Args:
        paused_by: why it is paused: `fence`, `desk`, `off`, `hours`; empty if it is not.
        words: the first of these reasons, for people: `somebody is at the desk of lab07`.
        cores_now: on how many cores it runs now; None: on all that it asked for.
    """

    paused_by: tuple[str, ...] = ()
    words: str = ""
    cores_now: int | None = None

    @property
    def text(self) -> str:
        """The text of the hash's field; "" if nothing holds it back."""
        if self == FREE:
            return ""
        return json.dumps([self.paused_by, self.words, self.cores_now], separators=(",", ":"))

    def in_words(self, cores: int) -> str:
        """Return it for people; "" if nothing holds it back.

        Args:
            cores: what the job asked for.
        """
        if self.paused_by:
            return f"paused: {self.words or ', '.join(self.paused_by)}"
        if self.cores_now is None:
            return ""
        return f"squeezed to {self.cores_now} of {cores} {'core' if cores == 1 else 'cores'}"


FREE = Restraint()


def parse_restraint(text: str) -> Restraint:
    """Return what a hash's field says; what cannot be read says nothing."""
    if not text:
        return FREE
    told = list_or_empty(text)
    if len(told) != 3 or not isinstance(told[0], list) or not isinstance(told[1], str):
        return FREE
    reasons = tuple(one for one in told[0] if isinstance(one, str))
    return Restraint(reasons, told[1], None if told[2] is None else int_or(told[2]))
