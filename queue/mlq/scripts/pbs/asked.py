"""What the options of a PBS script say, one by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mlq.errors import InvalidInputError
from mlq.scripts.pbs.attributes import read_attributes
from mlq.scripts.pbs.directives import Option
from mlq.scripts.pbs.moments import read_moment
from mlq.scripts.pbs.resources import Resources
from mlq.scripts.pbs.values import split_outside_quotes, whole
from mlq.scripts.script_job import Parent
from mlq.scripts.where import Where

_ARRAY = re.compile(
    r"(\d{1,9}(?:-\d{1,9}(?::\d{1,9})?)?)(,\d{1,9}(?:-\d{1,9}(?::\d{1,9})?)?)*(%\d{1,9})?", re.ASCII
)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PLAIN = frozenset(("-q", "-P", "-A", "-m", "-M", "-c", "-k", "-u", "-R", "-z", "-n", "-f"))
"""Options without effect here."""
_REFUSED = {
    "-I": "it asks for an interactive job",
    "-X": "it asks for a window",
    "-C": "its directives begin otherwise than with #PBS",
    "-D": "it asks for another root folder",
}


@dataclass(kw_only=True)
class Asked:
    """What the options say."""

    resources: Resources = field(default_factory=Resources)
    name: str = ""
    array: str = ""
    output: str = ""
    error: str = ""
    join: str = ""
    shell: str = ""
    queue: str = ""
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)
    passes: list[str] | None = field(default_factory=list)
    parents: list[Parent] = field(default_factory=list)
    is_requeued: bool = True
    is_held: bool = False
    is_waited_for: bool = False
    priority: int = 0
    start: str | None = None
    args: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_option(asked: Asked, option: Option, where: Where) -> None:
    """Add what one option says.

    Raises:
        InvalidInputError: it cannot be used.
    """
    letter, value = option.letter, option.value
    if letter in _REFUSED:
        raise InvalidInputError("mlq cannot do this", why=_REFUSED[letter])
    if letter in _PLAIN:
        asked.notes.append(f"line {option.line}: {letter} {value}".rstrip() + " has no effect")
        asked.queue = value if letter == "-q" else asked.queue
    elif letter == "-l":
        before = len(asked.resources.without_effect)
        asked.resources.read(value)
        new = asked.resources.without_effect[before:]
        asked.notes += [f"line {option.line}: {one} has no effect" for one in new]
    elif letter == "-W":
        attributes = read_attributes(value)
        asked.parents += attributes.parents
        asked.is_waited_for |= attributes.is_waited_for
        for one in attributes.without_effect:
            asked.notes.append(f"line {option.line}: -W {one} has no effect")
    elif letter == "-v":
        _variables(asked, option.raw, where)
    else:
        reader = _READERS.get(letter)
        if reader is None:
            raise InvalidInputError("qsub has no such option")
        reader(asked, value)


def _name(asked: Asked, value: str) -> None:
    if "/" in value or any(char.isspace() for char in value):
        raise InvalidInputError("a name has neither / nor spaces in PBS")
    asked.name = value


def _array(asked: Asked, value: str) -> None:
    if _ARRAY.fullmatch(value) is None:
        raise InvalidInputError("no array is written so", fix="write for example -J 0-9:2%3")
    for part in value.partition("%")[0].split(","):
        first, _, rest = part.partition("-")
        last, _, step = rest.partition(":")
        if int(last or first) < int(first) or (step and int(step) < 1):
            raise InvalidInputError(f"{part} has no task")
    if value.endswith("%0"):
        raise InvalidInputError("at least one task must be able to run")
    asked.array = value


def _one_of(name: str, *known: str) -> Callable[[Asked, str], None]:
    def read(asked: Asked, value: str) -> None:
        if value not in known:
            raise InvalidInputError(f"{value!r} is not one of {', '.join(known)}")
        setattr(asked, name, value)

    return read


def _again(asked: Asked, value: str) -> None:
    if value not in ("y", "n"):
        raise InvalidInputError(f"{value!r} is neither y nor n")
    asked.is_requeued = value == "y"


def _text(name: str) -> Callable[[Asked, str], None]:
    return lambda asked, value: setattr(asked, name, value)


def _priority(asked: Asked, value: str) -> None:
    asked.priority = whole(value, -1024, 1023)


def _start(asked: Asked, value: str) -> None:
    asked.start = read_moment(value)


def _arguments(asked: Asked, value: str) -> None:
    asked.args = value.split()


def _shell(asked: Asked, value: str) -> None:
    asked.shell = value.partition("@")[0]
    if not asked.shell.startswith("/"):
        raise InvalidInputError("the path of a shell is absolute")


_READERS: dict[str, Callable[[Asked, str], None]] = {
    "-N": _name,
    "-J": _array,
    "-t": _array,
    "-o": _text("output"),
    "-e": _text("error"),
    "-j": _one_of("join", "oe", "eo", "n"),
    "-V": lambda asked, _: setattr(asked, "passes", None),
    "-h": lambda asked, _: setattr(asked, "is_held", True),
    "-r": _again,
    "-p": _priority,
    "-a": _start,
    "-S": _shell,
    "-d": _text("cwd"),
    "-w": _text("cwd"),
    "-F": _arguments,
}


def _variables(asked: Asked, text: str, where: Where) -> None:
    for part in split_outside_quotes(text, ","):
        name, is_set, value = part.strip().partition("=")
        if _VARIABLE.fullmatch(name) is None:
            raise InvalidInputError(f"{name!r} is no name of a variable")
        if is_set:
            asked.env[name] = value
        elif name not in where.environ:
            raise InvalidInputError(f"the variable {name} is not set here")
        elif asked.passes is not None:
            asked.passes.append(name)
