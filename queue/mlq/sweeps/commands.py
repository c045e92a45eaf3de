"""What the members of a sweep run: one command with parameters in it, or many commands.

Many commands are lines for the shell; each is the parameter `command` of a member.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from mlq.errors import InvalidInputError
from mlq.sweeps.names import OWN, variable_of
from mlq.sweeps.rows import Table
from mlq.sweeps.template import Template, read

_SHELL = ("/bin/sh", "-c")


def table_of(source: str, lines: Sequence[str]) -> Table:
    """Return a file's lines as rows; lines that begin with `#` are comments.

    Raises:
        InvalidInputError: there is none.
    """
    rows = tuple((line,) for line in lines if not line.startswith("#"))
    if not rows:
        raise InvalidInputError(
            f"{source} has no commands", why="so the sweep has no members", fix="write one a line"
        )
    return Table(("command",), rows)


class CommandLines:
    """The commands of such a sweep, read like a `Template`.

    Braces have a meaning only if other parameters multiply the lines: otherwise a line runs exactly
    as it is in the file.
    """

    typed: tuple[str, ...] = ()  # each line is a parameter
    named: frozenset[str]
    rest: tuple[str, ...] | None

    def __init__(self, lines: Sequence[str], names: Sequence[str]) -> None:
        self._read: dict[str, Template] = {}
        others = [name for name in names if name != "command"]
        if others:
            self._read = {line: read((*_SHELL, line), others) for line in dict.fromkeys(lines)}
        read_lines = self._read.values()
        self.named = frozenset().union(*(one.named for one in read_lines))
        self.rest = next((one.rest for one in read_lines if one.rest is not None), None)
        self.text = " ".join(self._read)

    def filled(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Return the command of one member."""
        line = params["command"]
        return self._read[line].filled(params) if self._read else (*_SHELL, line)


Command = Template | CommandLines


def check_use(command: Command, names: Collection[str]) -> None:
    """Make sure that the command has a use for each parameter.

    Raises:
        InvalidInputError: it does not use one: all its values would do the same.
    """
    if command.rest is not None:
        return
    unused = [
        name
        for name in names
        if name not in command.named and name not in OWN and not _reads(command.text, name)
    ]
    if unused:
        name = unused[0]
        raise InvalidInputError(
            f"the command never uses the parameter {name}",
            why="jobs that differ in nothing else would all do the same",
            fix=f"write {{{name}}} or {{args}} in the command, or add --unused-ok if the program"
            f" reads {variable_of(name)}",
        )


def _reads(text: str, name: str) -> bool:
    return re.search(rf"\b{variable_of(name)}\b", text) is not None
