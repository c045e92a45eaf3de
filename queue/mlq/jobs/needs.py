"""What a job needs of a machine beside its size, and which command it is: as short words.

Machines differ in what is there: a folder of a share, a command, an environment. A job carries a
word for each in its hash (`mlq_needs`), so that a claim can leave out what a machine lacks without
reading the job. A word is a letter and a digest. The last word names the command without its
parameters: jobs with the same one stand or fall together. The words place a job and hold it back;
what may be run is decided by its signature alone.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

try:
    # What is behind hashlib where OpenSSL is not; with that it takes a tenth of `mlq ls` to import.
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1 as _sha1

if TYPE_CHECKING:
    from mlq.jobs.spec import JobSpec

_DIGITS = 10
_SCRIPT = re.compile(r".\.(py|pyc|sh|bash|zsh|r|jl|pl|rb|js|lua|m|ipynb|do|sas)$", re.IGNORECASE)
# The word after it is the program: `python -m package`, `sh -c 'text'`.
_PROGRAM_FOLLOWS = frozenset({"-m", "-c", "-e"})


def needs_of(spec: JobSpec) -> str:
    """Return the words of a job: folder, environment if it has one, command, and script."""
    words = [_word("f", spec.cwd)]
    if spec.code is not None:
        words.append(COPIES_CODE)
    if spec.python_env:
        words.append(_word("e", spec.python_env))
    if spec.function is not None:
        return " ".join((*words, _word("s", spec.cwd, spec.function.name)))
    name = spec.program or (spec.argv[0] if spec.argv else "")
    where = spec.cwd if "/" in name else _path(spec)
    words.append(_word("c", name, where, spec.python_env))
    words.append(_word("s", spec.cwd, spec.python_env, *script_of(spec.argv)))
    return " ".join(words)


def _path(spec: JobSpec) -> str:
    """Return the PATH the job brings along; without one it has its machine's."""
    return spec.env.get("PATH") or spec.captured_env.get("PATH") or ""


def script_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command without its parameters.

    That is everything up to the first word that names a script or follows -m, -c or -e. Of a
    program of the user's own, called by its path, it is the path; of any other program all words,
    since `make a` and `make b` have nothing in common.
    """
    if len(argv) == 3 and argv[1] == "-c" and os.path.basename(argv[0]) in {"sh", "bash"}:  # noqa: PTH119 - text
        inner = _shell_words(argv[2])
        found = _up_to_script(inner)
        return (*argv[:2], *found) if found else tuple(argv)
    for at, word in enumerate(argv[:-1]):
        if at and word in _PROGRAM_FOLLOWS:
            return tuple(argv[: at + 2])
    found = _up_to_script(argv)
    if found:
        return found
    return tuple(argv[:1]) if argv and "/" in argv[0] else tuple(argv)


def _up_to_script(words: Sequence[str]) -> tuple[str, ...]:
    for at, word in enumerate(words):
        if _SCRIPT.search(word) and not word.startswith("-"):
            return tuple(words[: at + 1])
    return ()


def _shell_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


COPIES_CODE = "kcode"
"""The word of jobs that run a copy of their code: a supervisor of an older mlq makes none."""


def word_of(needs: str, letter: str) -> str:
    """Return the word of this letter among the words of a job, "" if it has none."""
    return next((word for word in needs.split() if word.startswith(letter)), "")


@lru_cache(maxsize=4096)
def _word(letter: str, *parts: str) -> str:
    text = "\0".join(parts).encode(errors="surrogateescape")
    return letter + str(_sha1(text, usedforsecurity=False).hexdigest()[:_DIGITS])
