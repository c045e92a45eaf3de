"""The default name of a sweep: the stem of the script that it runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePath

_SCRIPT = re.compile(r".+\.(py|sh|bash|zsh|r|jl|pl|rb|lua|js|ts|ipynb|m|exe|jar)", re.IGNORECASE)
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_PYTHON = re.compile(r"python[\d.]*|torchrun|accelerate|deepspeed|pytest")


def name_of(command: Sequence[str]) -> str:
    """Return the name: `train` for `python train.py`, `python -m lab.train` and `./train`.

    Args:
        command: as typed; in a shell's text, the first command counts.
    """
    words = list(command)
    if len(words) == 3 and words[:2] == ["/bin/sh", "-c"]:
        try:
            words = shlex.split(words[2])
        except ValueError:  # a quote that only a filled-in value closes
            words = words[2].split()
    fixed = [word for word in words if "{" not in word]
    for at, word in enumerate(fixed):
        if at and word == "-m" and _runs_modules(fixed[:at]) and at + 1 < len(fixed):
            module = fixed[at + 1]
            if _MODULE.fullmatch(module):
                return module.rpartition(".")[2]
        if _SCRIPT.fullmatch(word) and "=" not in word:
            return PurePath(word).stem
    return PurePath(fixed[0]).stem if fixed else "sweep"


def _runs_modules(words: Sequence[str]) -> bool:
    return any(_PYTHON.fullmatch(PurePath(word).name) for word in words)
