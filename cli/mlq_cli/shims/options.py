"""The command lines of Slurm's commands, read as getopt_long does.

Invariant: what a command does not know is an error that names it. A program that asked in a form
unknown here must not take silence for an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq_cli.shims.version import VersionAsked


class Options(NamedTuple):
    """What was typed.

    Args:
        values: name of an option -> its values in their order; "" for one that takes none.
        words: the other words.
    """

    values: Mapping[str, Sequence[str]]
    words: Sequence[str]

    def has(self, name: str) -> bool:
        """Return whether an option was given."""
        return name in self.values

    def last(self, name: str, otherwise: str = "") -> str:
        """Return the last value of an option."""
        return self.values[name][-1] if name in self.values else otherwise

    def listed(self, name: str) -> list[str]:
        """Return all values of an option, which are lists with commas."""
        found = ",".join(self.values.get(name, ())).split(",")
        return [one.strip() for one in found if one.strip()]


class Known(NamedTuple):
    """The options of one command.

    Args:
        plain: those without a value: `name` or `name/letter`.
        valued: those with a value; with `?` at the end the value may be missing.
    """

    plain: str
    valued: str

    def names(self) -> dict[str, tuple[str, str]]:
        """Return each spelling, with its dashes: name and kind (`plain`, `needed`, `optional`)."""
        found = {}
        for listed, kind in ((self.plain, "plain"), (self.valued, "needed")):
            for word in listed.split():
                name, _, letters = word.rstrip("?").partition("/")
                means = (name, "optional" if word[-1] == "?" else kind)
                found[f"--{name}"] = means
                found.update({f"-{letter}": means for letter in letters})
        return found


def read(typed: Sequence[str], known: Known, *, takes_words: bool = True) -> Options:
    """Read a command line.

    Args:
        typed: what stands behind the command's name.
        known: its options.
        takes_words: whether anything but options means something to it.

    Raises:
        InvalidInputError: an option is unknown, or lacks its value; or a word means nothing.
        VersionAsked: `--version` is among the options.
    """
    names = known.names()
    values: dict[str, list[str]] = {}
    words: list[str] = []
    left = list(typed)
    while left:
        word = left.pop(0)
        if word == "--":
            words += left
            break
        if word.startswith("--"):
            spelled, equals, value = word.partition("=")
            name, kind = _long(spelled, names)
            if kind == "plain" and equals:
                raise InvalidInputError(f"option '{spelled}' takes no value")
            if kind == "needed" and not equals:
                value = _next(spelled, left)
            values.setdefault(name, []).append(value)
        elif word.startswith("-") and word != "-":
            for name, value in _letters(word, left, names):
                values.setdefault(name, []).append(value)
        else:
            words.append(word)
    if "version" in values:
        raise VersionAsked
    if words and not takes_words:
        raise InvalidInputError(f"Unrecognized option: {words[0]}")
    return Options(values, words)


def _long(spelled: str, names: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    if spelled in names:
        return names[spelled]
    fitting = {means for one, means in names.items() if one.startswith(spelled)}
    if len(fitting) != 1:
        what = "ambiguous" if fitting else "unrecognized"
        raise InvalidInputError(f"{what} option '{spelled}'")
    return fitting.pop()


def _letters(
    word: str, left: list[str], names: Mapping[str, tuple[str, str]]
) -> list[tuple[str, str]]:
    found = []
    for at, letter in enumerate(word[1:], start=1):
        if f"-{letter}" not in names:
            raise InvalidInputError(f"invalid option -- '{letter}'")
        name, kind = names[f"-{letter}"]
        rest = word[at + 1 :]
        if kind == "plain":
            found.append((name, ""))
            continue
        if kind == "needed" and not rest:
            rest = _next(f"-{letter}", left)
        found.append((name, rest.removeprefix("=")))
        break
    return found


def _next(spelled: str, left: list[str]) -> str:
    if not left:
        raise InvalidInputError(f"option '{spelled}' needs a value")
    return left.pop(0)
