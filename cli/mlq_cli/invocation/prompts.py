"""Questions at a terminal; without one there are none, and every answer is its default."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from mlq.errors import MlqError
from mlq_cli.render.clean import clean

T = TypeVar("T")


class InputEndedError(MlqError):
    """There will be no more answers (Ctrl-D), so nothing is asked again."""


class Asker:
    """Asks the person at the terminal.

    Args:
        wanted: whether to ask at all.
        read: shows a question and returns the line that was typed.
    """

    def __init__(self, wanted: bool, read: Callable[[str], str] = input) -> None:
        self.wanted, self._read = wanted, read

    def text(self, question: str, default: str) -> str:
        """Ask for a text; nothing typed is the default, a single dash is none."""
        if not self.wanted:
            return default
        shown = f" [{default}]" if default else ""
        typed = self._line(f"{question}{shown}: ")
        return "" if typed == "-" else typed or default

    def yes(self, question: str) -> bool:
        """Ask for a yes; nothing typed is one."""
        return self._line(f"{question} [Y/n]: ").lower() in {"", "y", "yes"}

    def surely(self, question: str) -> bool:
        """Ask for a yes to what cannot be undone; nothing typed is none."""
        return self._line(f"{question} [y/N]: ").lower() in {"y", "yes"}

    def until_good(self, attempt: Callable[[], T]) -> T:
        """Ask and check until it is good; without a terminal the first failure is the end."""
        while True:
            try:
                return attempt()
            except InputEndedError:
                raise
            except MlqError as error:
                if not self.wanted:
                    raise
                sys.stderr.write("".join(f"  {clean(line)}\n" for line in str(error).split("\n")))
                if not self.yes("try again"):
                    raise

    def _line(self, question: str) -> str:
        try:
            return self._read(clean(question)).strip()
        except EOFError:
            sys.stderr.write("\n")  # the message shall not stand behind the question
            raise InputEndedError("no answer was given", why="the input ended") from None
