"""What other threads tell the screen: messages are textual's way to hand a value to its own."""

from __future__ import annotations

from textual.message import Message

from mlq_cli.top.commands import Ran
from mlq_cli.top.detail import CurveSeen, LogSeen
from mlq_cli.top.watches import Answer


class Answered(Message):
    """The queue answered, or failed to."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Read(Message):
    """A file was read."""

    def __init__(self, found: LogSeen | CurveSeen) -> None:
        super().__init__()
        self.found = found


class Done(Message):
    """The commands that the user agreed to have ended."""

    def __init__(self, ran: Ran) -> None:
        super().__init__()
        self.ran = ran


class Leave(Message):
    """The screen is to close."""
