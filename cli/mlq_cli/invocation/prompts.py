"""Asks questions at a terminal; without a terminal every answer is its default."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from mlq.errors import MlqError
from mlq_cli.render.clean import clean

T = TypeVar("T")


class InputEndedError(MlqError):
    """The input has ended (Ctrl-D), so no question must be asked again."""


class Asker:
    """Asks the person at the terminal.

    Args:
        wanted: whether to ask at all.
        read: shows a question and returns the line that was typed.
    """

    def __init__(self, wanted: bool, read: Callable[[str], str] = input) -> None:
        self.wanted, self._read = wanted, read

    def text(self, question: str, default: str) -> str:
        """Ask for a text; an empty line means the default, a single dash means no text."""
        if not self.wanted:
            return default
        shown = f" [{default}]" if default else ""
        typed = self._line(f"{question}{shown}: ")
        return "" if typed == "-" else typed or default

    def yes(self, question: str) -> bool:
        """Ask a yes-no question; an empty line means yes."""
        return self._line(f"{question} [Y/n]: ").lower() in {"", "y", "yes"}

    def surely(self, question: str) -> bool:
        """Ask whether to do what cannot be undone; an empty line means no."""
        return self._line(f"{question} [y/N]: ").lower() in {"y", "yes"}

    def until_good(self, attempt: Callable[[], T]) -> T:
        """Ask until the answer passes its check; without a terminal raise the first failure."""
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
            sys.stderr.write("\n")  # the message must not follow the question on its line
            raise InputEndedError("no answer was given", why="the input ended") from None
