"""Reads the directives of a Slurm script and the command line of sbatch, as sbatch does.

sbatch reads `#SBATCH` lines up to the first command. A word ends at white space; quotes and
backslashes protect characters; an unprotected `#` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.scripts.script_mistake import mistake
from mlq.scripts.slurm.options import LETTERS, OPTIONS, VARIABLES, Option, named

MAGIC = "#SBATCH"


class Given(NamedTuple):
    """One option as it was given.

    Args:
        option: which one.
        value: its value; None if it has none.
        file: the file that it stands in, or what else it comes from, for messages.
        line: the line there; 0 if it stands in no file.
    """

    option: Option
    value: str | None
    file: str
    line: int = 0

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.file}, line {self.line}" if self.line else self.file

    @property
    def text(self) -> str:
        """The option as one would type it."""
        return f"--{self.option.name}" + ("" if self.value is None else f"={self.value}")

    def mistake(self, why: str, fix: str = "") -> InvalidInputError:
        """Return the error that this option cannot be used."""
        return mistake(self.file, self.line, f"{self.text} cannot be used", why=why, fix=fix)


class Directives(NamedTuple):
    """What a script says to sbatch: its options in order, and the lines that come too late."""

    given: tuple[Given, ...]
    late: tuple[int, ...]


def directives(text: str, file: str) -> Directives:
    """Return the directives of a script.

    Raises:
        InvalidInputError: a directive cannot be read; the message names its line.
    """
    given: list[Given] = []
    late: list[int] = []
    is_over = False
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(MAGIC):
            if is_over:
                late.append(number)
                continue
            found, rest = options_of(words_of(line[len(MAGIC) :], file, number), file, number)
            if rest:
                raise mistake(
                    file,
                    number,
                    f"{rest[0]!r} is no option",
                    why="mlq runs no jobs of several components"
                    if rest[0] in ("hetjob", "packjob")
                    else "options begin with a dash",
                )
            given += found
        elif line.strip() and not line.lstrip().startswith("#"):
            is_over = True
    return Directives(tuple(given), tuple(late))


def words_of(line: str, file: str, number: int) -> list[str]:
    """Return the words of a directive.

    Raises:
        InvalidInputError: a quote is not closed, or a component of a larger job begins.
    """
    words: list[str] = []
    rest = line.lstrip()
    while rest and not rest.startswith("#"):
        if rest.startswith(":"):
            raise mistake(
                file, number, "`:` is no option", why="mlq runs no jobs of several components"
            )
        word, rest, ends = _word(rest, file, number)
        words.append(word)
        rest = "" if ends else rest.lstrip()
    return words


def _word(text: str, file: str, number: int) -> tuple[str, str, bool]:
    """Return the first word, what follows it, and whether a comment does."""
    word, quote, at = "", "", 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            at += 1
            word += text[at : at + 1]
        elif quote:
            quote = "" if sign == quote else quote
            word += sign if quote else ""
        elif sign in "'\"":
            quote = sign
        elif sign == "#":
            return word, "", True
        elif sign.isspace():
            break
        else:
            word += sign
        at += 1
    if quote:
        raise mistake(file, number, f"the quote {quote} is not closed", why=f"in{' ' + text}")
    return word, text[at:], False


def options_of(
    words: Sequence[str], file: str, line: int = 0
) -> tuple[list[Given], tuple[str, ...]]:
    """Return the options that words begin with, and the words after them.

    Raises:
        InvalidInputError: an option is unknown, or lacks its value, or has one too many.
    """
    given: list[Given] = []
    left = list(words)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        read = _long if word.startswith("--") else _short
        given += read(word, left, file, line)
    return given, tuple(left)


def _long(word: str, left: list[str], file: str, line: int) -> list[Given]:
    name, equals, value = word[2:].partition("=")
    options = named(name)
    if len(options) != 1:
        raise _unknown(f"--{name}", options, file, line)
    (option,) = options
    if equals:
        if option.value == "none":
            raise mistake(file, line, f"--{option.name} takes no value", why=f"{value!r} is one")
        return [Given(option, value, file, line)]
    return [Given(option, _value(option, left, file, line), file, line)]


def _short(word: str, left: list[str], file: str, line: int) -> list[Given]:
    given = []
    letters = word[1:]
    while letters:
        option = LETTERS.get(letters[0])
        if option is None:
            raise _unknown(f"-{letters[0]}", (), file, line)
        letters = letters[1:]
        if option.value == "none":
            given.append(Given(option, None, file, line))
            continue
        value = letters or _value(option, left, file, line)
        given.append(Given(option, value, file, line))
        break
    return given


def _value(option: Option, left: list[str], file: str, line: int) -> str | None:
    if option.value != "needed":
        return None
    if not left:
        raise mistake(file, line, f"--{option.name} needs a value")
    return left.pop(0)


def _unknown(word: str, fitting: Sequence[Option], file: str, line: int) -> InvalidInputError:
    if fitting:
        names = " or ".join(f"--{one.name}" for one in fitting[:4])
        return mistake(file, line, f"{word} is not one option", why=f"it may mean {names}")
    near = get_close_matches(word.lstrip("-"), OPTIONS, n=1) if word.startswith("--") else []
    return mistake(
        file,
        line,
        f"sbatch has no option {word}",
        fix=f"did you mean --{near[0]}?" if near else "",
    )


def from_variables(environ: Mapping[str, str]) -> list[Given]:
    """Return the options that variables such as SBATCH_TIMELIMIT give."""
    given = []
    for name, option in VARIABLES.items():
        if (value := environ.get(name)) is not None:
            takes = OPTIONS[option].value != "none"
            given.append(Given(OPTIONS[option], value if takes else None, f"the variable {name}"))
    return given


def latest(given: Iterable[Given]) -> dict[str, Given]:
    """Return options by name; of one given twice the last, and of a contradicting pair too."""
    found: dict[str, Given] = {}
    for one in given:
        found.pop({"requeue": "no-requeue", "no-requeue": "requeue"}.get(one.option.name, ""), None)
        found[one.option.name] = one
    return found
