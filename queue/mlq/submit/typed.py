"""Checks texts and numbers that a user typed for values that a job cannot hold."""

from __future__ import annotations

from mlq.errors import InvalidInputError
from mlq.jobs.request import LARGEST


def check_texts(*texts: object) -> None:
    """Make sure that these can be passed to a process; raise InvalidInputError if not."""
    for text in texts:
        if not isinstance(text, str):
            raise InvalidInputError(f"{text!r} is not text")
        if "\0" in text:
            raise InvalidInputError(
                f"{text!r} cannot be used", why="no process can be given a NUL character"
            )
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInputError(f"{text!r} cannot be used", why="it is not UTF-8") from None


def within(name: str, value: int, least: int) -> int:
    """Return a whole number that is at least `least` and that a class's name can hold."""
    why = ""
    if isinstance(value, bool) or not isinstance(value, int):
        why = "a whole number is needed"
    elif value < least:
        why = f"at least {least} is needed"
    elif value > LARGEST:
        why = f"at most {LARGEST} is possible"
    if why:
        raise InvalidInputError(f"--{name} {value} cannot be used", why=why)
    return value
