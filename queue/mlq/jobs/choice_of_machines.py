"""Which machines and which GPUs a job may have, as its user names them.

Machines are a list of globs, `gpu0[1-3],lab*`, of which one must match; a glob after `!` excludes
what it matches. A type of GPU, `a100` or `rtx-3090`, is part of the model's name. Worker, commands
and Python API ask the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from mlq.errors import InvalidInputError

LONGEST_LIST = 4096
"""The most characters of a list of machines: it is part of the name of a job class."""
TYPE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)
"""A type of GPU, as the name of a job class has it."""
ANY = "any"
"""The word that stands for no wish."""

_ITEM = re.compile(r"(?:\[!?\]?[^\]]*\]|[^,])+")  # a comma in brackets is part of a glob
_OTHER = re.compile(r"[^a-z0-9]+", re.ASCII)


class Machines(NamedTuple):
    """The globs of a list: the machine's name must match one of `wanted`, and none of `excluded`.

    Without any in `wanted`, all names will do.
    """

    wanted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def excludes(self, machine: str) -> bool:
        """Return whether a machine of this name is excluded."""
        return any(fnmatchcase(machine, glob) for glob in self.excluded)

    def allows(self, machine: str) -> bool:
        """Return whether the job may run on a machine of this name."""
        if self.wanted and not any(fnmatchcase(machine, glob) for glob in self.wanted):
            return False
        return not self.excludes(machine)

    def in_words(self, on: str = "") -> str:
        """Return, for people, on which machines the job may run; "" if on any.

        Args:
            on: a word before those on which it may not.
        """
        words = [" or ".join(self.wanted)] if self.wanted else []
        if self.excluded:
            words.append(f"not {on}{' or '.join(self.excluded)}")
        return ", but ".join(words)


@lru_cache(maxsize=256)  # all jobs of a class have the same list
def machines_of(text: str) -> Machines:
    """Return the globs of a list; anything is a list, if perhaps one that no name matches."""
    items = [one.strip() for one in _ITEM.findall(text)]
    return Machines(
        tuple(one for one in items if one and not one.startswith("!")),
        tuple(one[1:] for one in items if one.startswith("!")),
    )


def list_of(machine: str, exclude: str = "") -> str:
    """Return the list of machines that a user means.

    Args:
        machine: globs, and `!` with globs, as typed.
        exclude: globs of machines to exclude, as typed.

    Raises:
        InvalidInputError: an item is empty, or the list is too long.
    """
    kept = _items("--machine", machine)
    kept += [f"!{one.removeprefix('!')}" for one in _items("--exclude", exclude)]
    text = ",".join(dict.fromkeys(kept))
    if len(text) > LONGEST_LIST:
        raise InvalidInputError(
            "the list of machines is too long",
            why=f"it has {len(text):,} characters, and {LONGEST_LIST:,} are the most",
            fix="use globs: 'gpu*,!gpu0[1-3]'",
        )
    return text


def _items(option: str, typed: str) -> list[str]:
    if not typed.strip():
        return []
    for one in re.sub(r"\[!?\]?[^\]]*\]", "[]", typed).split(","):
        if not one.strip().removeprefix("!"):
            raise InvalidInputError(
                f"{option} {typed!r} cannot be used",
                why="one of its names is empty",
                fix=f"{option} 'gpu01,lab*'",
            )
    return [one.strip() for one in _ITEM.findall(typed)]


def gpu_type_of(typed: str) -> str:
    """Return a typed type of GPU as the name of a job class has it: `RTX 3090` is `rtx-3090`.

    Raises:
        InvalidInputError: no letter or digit is left, or too many are.
    """
    text = _OTHER.sub("-", typed.lower()).strip("-")
    if typed and not TYPE.fullmatch(text):
        raise InvalidInputError(
            f"--gpu-type {typed!r} cannot be used",
            why="it is to be part of the name of a GPU's model",
            fix="`mlq machines --json` shows the models; for example --gpu-type a100",
        )
    return text


@lru_cache(maxsize=1024)
def is_of_type(model: str, gpu_type: str) -> bool:
    """Return whether a GPU of this model is of a type.

    Case and whatever stands between letters and digits do not count: `rtx3090` is in `NVIDIA
    GeForce RTX 3090`. A number counts as a whole: `a10` is not in `NVIDIA A100`.
    """
    letters = _OTHER.sub("", gpu_type.lower())
    between = r"[^a-z0-9]*".join(map(re.escape, letters))
    before = r"(?<!\d)" if letters[:1].isdigit() else ""
    after = r"(?!\d)" if letters[-1:].isdigit() else ""
    return re.search(before + between + after, model.lower()) is not None


def models_in_words(models: Iterable[str]) -> str:
    """Return the models of a machine's GPUs, for people: `2 x NVIDIA A100, NVIDIA T4`."""
    names = list(models)
    counts = {name: names.count(name) for name in names}
    return ", ".join(f"{n} x {name}" if n > 1 else name for name, n in counts.items())
