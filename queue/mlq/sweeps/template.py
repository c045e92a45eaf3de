"""The command of a sweep, with places for a member's parameters.

`{lr}` is a parameter; `{args}`, alone, becomes `--lr=1e-3 --seed=0`, and `{overrides}` becomes
`lr=1e-3 seed=0`, each of all parameters that the command does not name elsewhere; `{{` is a brace.
A command is read once, for all members.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps.names import OWN, REST, nearest
from mlq.sweeps.shell_quoting import Quoted, quoted, states

_BRACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\{")
_SHELL = ("/bin/sh", "-c")


class Place(NamedTuple):
    """A place for a parameter; `shell` says how the shell reads it, None if no shell does."""

    name: str
    shell: Quoted | None


Piece = str | Place


class Template(NamedTuple):
    """A command that was read.

    Args:
        words: each argument, in pieces.
        named: the parameters that it names.
        rest: the parameters that replace `{args}` and `{overrides}`; None if it has neither.
        typed: the command as its user typed it.
    """

    words: tuple[tuple[Piece, ...], ...]
    named: frozenset[str]
    rest: tuple[str, ...] | None
    typed: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole command, to look for words in it."""
        return " ".join(self.typed)

    def filled(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Return the command of one member."""
        found: list[str] = []
        for pieces in self.words:
            if len(pieces) == 1:
                piece = pieces[0]
                if isinstance(piece, str):
                    found.append(piece)
                elif piece.name in REST and piece.shell is None:
                    found += self._rest(piece, params)
                else:
                    found.append(self._value(piece, params))
            else:
                found.append(
                    "".join(
                        [
                            piece if isinstance(piece, str) else self._value(piece, params)
                            for piece in pieces
                        ]
                    )
                )
        return tuple(found)

    def _value(self, piece: Place, params: Mapping[str, str]) -> str:
        if piece.name in REST:  # only in a shell's text can this be part of a word
            return " ".join(shlex.quote(word) for word in self._rest(piece, params))
        value = params[piece.name]
        return value if piece.shell is None else quoted(piece.name, value, piece.shell)

    def _rest(self, piece: Place, params: Mapping[str, str]) -> list[str]:
        dashes = "--" if piece.name == "args" else ""
        return [f"{dashes}{name}={params[name]}" for name in self.rest or ()]


def read(command: Sequence[str], names: Collection[str]) -> Template:
    """Read a command.

    Args:
        command: as typed; `/bin/sh -c TEXT` is for a shell, so that values are quoted there.
        names: of the sweep's parameters.

    Raises:
        InvalidInputError: it names something that is not a parameter, or has a stray brace.
    """
    by_shell = len(command) == 3 and tuple(command[:2]) == _SHELL
    words = [_pieces(word, names, by_shell=by_shell and at == 2) for at, word in enumerate(command)]
    places = {one.name for word in words for one in word if isinstance(one, Place)}
    named = frozenset(places.difference(REST))
    rest = tuple(name for name in names if name not in named and name not in OWN)
    return Template(tuple(words), named, rest if places & {*REST} else None, tuple(command))


def literally(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command with its literal braces escaped."""
    return tuple(word.replace("{", "{{").replace("}", "}}") for word in command)


def _pieces(word: str, names: Collection[str], *, by_shell: bool) -> tuple[Piece, ...]:
    found: list[Piece] = []
    at = 0
    shell = states(word) if by_shell else None
    for match in _BRACE.finditer(word):
        found.append(word[at : match.start()])
        at = match.end()
        text = match[0]
        if text in {"{{", "}}"}:
            found.append(text[0])
        else:
            found.append(_place(word, match, names, shell))
    found.append(word[at:])
    return _joined(found)


def _which(names: Collection[str]) -> str:
    return f"the parameters are {', '.join(names)}" if names else "there are no parameters"


def _place(
    word: str, match: re.Match[str], names: Collection[str], shell: Sequence[Quoted] | None
) -> Place:
    name = match[1]
    if name not in names and name not in REST:
        what = match[0] if name is not None else word
        raise InvalidInputError(
            f"{what} in the command is no parameter"
            if name is not None
            else f"{what} has a brace that is not closed",
            why=_which(names) if name is not None else "",
            fix=f"{nearest(name or '', [*names, *REST])}For a brace itself write {{{{",
        )
    if name in REST and shell is None and match[0] != word:
        raise InvalidInputError(
            f"{match[0]} must be an argument of its own",
            why=f"it becomes several, and stands in {word}",
        )
    place = None if shell is None else shell[match.start()]
    if name in REST and place:
        raise InvalidInputError(
            f"{match[0]} stands in quotes",
            why="it becomes several words, each quoted as it needs",
            fix=f"take {match[0]} out of the quotes",
        )
    return Place(name, place)


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces without those that are empty, and neighbouring texts as one."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found) or ("",)
