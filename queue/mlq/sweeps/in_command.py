"""A sweep inside the command itself, as in Hydra: `train.py -m lr=1e-3,1e-4`.

Each word `key=...`, `+key=...` or `--key=...` whose value is more than one becomes a parameter.
Hydra's `-m` is dropped, so that each combination is a separate job.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.sweeps.template import literally
from mlq.sweeps.values import is_sweep

_WORD = re.compile(r"(--|\+{0,2})([^\W\d][\w.@/:-]*)=(.*)", re.DOTALL)
_OVERRIDE = re.compile(r"~?[^\W\d][\w.@/:-]*=.*|\+{1,2}[^\W\d].*=.*|~[^\W\d].*", re.DOTALL)
_HYDRAS = re.compile(r"--(config-(name|path|dir)|package|info|experimental-rerun)\b|-c[npd]$")


class InCommand(NamedTuple):
    """The sweep found in a command.

    Args:
        command: the rest, with `{key}` in the place of the values.
        params: name and values of each parameter, as typed.
    """

    command: tuple[str, ...]
    params: tuple[tuple[str, str], ...]


def extract(command: Sequence[str], *, braces: bool) -> InCommand:
    """Take the sweep out of a command.

    Args:
        command: as typed.
        braces: whether `{name}` in it means a parameter, because there are others besides these.

    Raises:
        InvalidInputError: there is none.
    """
    params: list[tuple[str, str]] = []
    found: list[str] = []
    begin = _program_at(command)
    for at, word in enumerate(command):
        if at > begin and _starts_hydras_sweep(command, at):
            continue
        match = _WORD.fullmatch(word) if at > begin else None
        if match and is_sweep(match[3]):
            params.append((match[2], match[3]))
            found.append(f"{match[1]}{match[2]}={{{match[2]}}}")
        else:
            found.append(word if braces else literally([word])[0])
    if not params:
        raise InvalidInputError(
            "--sweep finds nothing to vary in the command",
            why="no word of it is KEY=VALUES or --KEY=VALUES with a comma or a function of values",
            fix="write for example: mlq enqueue --sweep -- python train.py lr=1e-3,1e-4",
        )
    return InCommand(tuple(found), tuple(params))


def _program_at(command: Sequence[str]) -> int:
    """Return the index of the program: after `env`, assignments of variables come first."""
    if not command or PurePath(command[0]).name != "env":
        return 0
    return next((at for at, word in enumerate(command) if at and "=" not in word), 0)


def _starts_hydras_sweep(command: Sequence[str], at: int) -> bool:
    """Return whether this word is Hydra's `-m`, not Python's, which a module follows."""
    if command[at] == "--multirun":
        return True
    if command[at] != "-m":
        return False
    if at + 1 == len(command):
        return any(_OVERRIDE.fullmatch(word) for word in command[1:at])
    after = command[at + 1]
    return bool(_OVERRIDE.fullmatch(after) or _HYDRAS.match(after))
