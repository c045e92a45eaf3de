"""Decides by each member's standing in the queue whether a new job is made for it: pure.

A member runs if it is new, failed, was canceled or is missing, or is held because jobs of its
command fail. Other waiting and running members are left alone. So are finished members, unless the
user asks to run them again: those that ran other code, or all.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mlq.jobs.lifecycle import FAILING, HELD, WAITING, State

Again = Literal["", "code", "all"]
AGAIN = ("", "code", "all")

NEW, MISSING, DONE, RUNNING = "new", "missing", "done", "running"
ORDER = (
    NEW,
    DONE,
    str(State.FAILED),
    str(State.CANCELED),
    MISSING,
    RUNNING,
    str(State.QUEUED),
    str(State.SCHEDULED),
    str(State.DEFERRED),
    HELD,
)
"""The standings of members, in the order in which they are reported."""


class Seen(NamedTuple):
    """A member's standing in the queue.

    Args:
        job_index: of the job that stands for it; -1 if the sweep does not know it.
        state: of that job; "" if it is gone. One that finished and was forgotten is finished.
        held: why it is held; "" if it is not.
        spec: the digest of its template, or its whole text; "" if unknown.
    """

    job_index: int
    state: str = ""
    held: str = ""
    spec: str = ""


class Standing(NamedTuple):
    """One member.

    Args:
        seen: how it stands in the queue.
        other_code: whether that job has other code than is enqueued now.
    """

    seen: Seen
    other_code: bool = False

    @property
    def word(self) -> str:
        """The word for its standing, for people."""
        seen = self.seen
        if seen.job_index < 0:
            return NEW
        if seen.held and seen.state == State.DEFERRED:
            return HELD
        words = {"": MISSING, State.FINISHED: DONE, State.STARTED: RUNNING}
        return words.get(seen.state, str(seen.state))

    def is_run(self, again: Again, *, was_held: bool) -> bool:
        """Return whether a new job is made for it.

        Args:
            again: which of those that are done run again.
            was_held: whether the sweep was held since its first members failed. Then waiting
                members with the code that failed are replaced.
        """
        if self.seen.state == State.STARTED:
            return False
        if self.word == HELD and self.seen.held.startswith(FAILING):
            return True  # a worker holds it, because its command failed with the code of that time
        if self.seen.state in WAITING:
            return self.other_code and (bool(again) or was_held)
        if self.seen.state == State.FINISHED:
            return again == "all" or (again == "code" and self.other_code)
        return True
