"""Reads HTCondor's two ways to write arguments, and its two ways to write an environment.

The new way stands in double quotes, doubles those within (`""`), and groups by single quotes. In
the old way, spaces separate arguments and semicolons separate variables, and nothing groups.
"""

from __future__ import annotations

from mlq.errors import InvalidInputError


def arguments(text: str) -> tuple[str, ...]:
    """Return the arguments that a value of `arguments` means.

    Raises:
        InvalidInputError: its quotes do not match.
    """
    text = text.strip()
    if text.startswith('"'):
        return tuple(_grouped(_inside(text)))
    plain = text.replace('\\"', "\0")
    if '"' in plain:
        raise InvalidInputError(
            "a double quote stands in the arguments",
            why="those that do not begin with one take none",
            fix='put all of them into double quotes, and write "" for one within',
        )
    return tuple(word.replace("\0", '"') for word in plain.split())


def environment(text: str) -> dict[str, str]:
    """Return the variables that a value of `environment` means.

    Raises:
        InvalidInputError: its quotes do not match, or a variable has no value.
    """
    text = text.strip()
    if text.startswith('"'):
        parts = _grouped(_inside(text))
    else:
        parts = [part.lstrip() for part in text.split(";") if part.strip()]
    found = {}
    for part in parts:
        name, is_set, value = part.partition("=")
        if not is_set or not name:
            raise InvalidInputError(f"{part!r} sets no variable", fix="write NAME=value")
        found[name] = value
    return found


def _inside(text: str) -> str:
    """Return what is between the outer double quotes."""
    inner = text[1:].replace('""', "\0")
    inside, end, rest = inner.partition('"')
    if not end:
        raise InvalidInputError("a double quote has no end")
    if rest.strip():
        raise InvalidInputError(f'{rest.replace(chr(0), chr(34) * 2)!r} follows the last "')
    return inside.replace("\0", '"')


def _grouped(text: str) -> list[str]:
    words: list[str] = []
    word: str | None = None
    at, is_quoted = 0, False
    while at < len(text):
        char = text[at]
        if char == "'":
            if is_quoted and text[at : at + 2] == "''":
                word = (word or "") + "'"
                at += 1
            else:
                is_quoted = not is_quoted
                word = word or ""
        elif char.isspace() and not is_quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
        at += 1
    if is_quoted:
        raise InvalidInputError("a single quote has no end")
    return words if word is None else [*words, word]
