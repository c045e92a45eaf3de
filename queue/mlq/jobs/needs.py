"""What a job needs of a machine besides resources, and which command it runs, as short words.

Machines differ in what they have: a folder of a share, a command, an environment. A job carries a
word for each such need in its hash (`mlq_needs`), so that a claim can skip jobs whose needs a
machine lacks without reading the jobs. A word is a letter and a digest. The last word names the
command without its parameters; jobs with the same last word are held together. The words only place
a job or hold it back; its signature alone decides whether it may run.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

try:
    # The module behind hashlib; importing hashlib with OpenSSL takes a tenth of the time of `mlq
    # ls`.
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
    if spec.script or spec.streams is not None or spec.batch is not None:
        words.append(RUNS_SCRIPTS)
    if spec.python_env:
        words.append(_word("e", spec.python_env))
    if spec.function is not None:
        return " ".join((*words, command_word(spec)))
    name = spec.program or (spec.argv[0] if spec.argv else "")
    if spec.script:  # what may be missing is its interpreter
        name = spec.script.split("\n", 1)[0]
    where = spec.cwd if "/" in name else _path(spec)
    words.append(_word("c", name, where, spec.python_env))
    words.append(command_word(spec))
    return " ".join(words)


def _path(spec: JobSpec) -> str:
    """Return the PATH that the job brings along; a job without one uses its machine's."""
    return spec.env.get("PATH") or spec.captured_env.get("PATH") or ""


def script_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command without its parameters.

    That is everything up to the first word that names a script or follows -m, -c or -e. For a
    user's own program, called by its path, it is the path; for any other program it is all words,
    since `make a` and `make b` have nothing in common.
    """
    if _is_shell(argv):
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


def parameters_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command that `script_of` leaves out."""
    if _is_shell(argv):
        inner = _shell_words(argv[2])
        found = _up_to_script(inner)
        return tuple(inner[len(found) :]) if found else ()
    return tuple(argv[len(script_of(argv)) :])


def _is_shell(argv: Sequence[str]) -> bool:
    return len(argv) == 3 and argv[1] == "-c" and os.path.basename(argv[0]) in {"sh", "bash"}  # noqa: PTH119 - text


def command_word(spec: JobSpec) -> str:
    """Return the word of a job's command without its parameters, in its folder and environment."""
    if spec.function is not None:
        return _word("s", spec.cwd, spec.function.name)
    return _word("s", spec.cwd, spec.python_env, *script_of(spec.argv))


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
"""The word of jobs that run in a copy of their code; supervisors of an older mlq make no copies."""
RUNS_SCRIPTS = "kscript"
"""The word of jobs of another batch system's words, of which older supervisors know nothing."""
OF_SUPERVISORS = frozenset((COPIES_CODE, RUNS_SCRIPTS))
"""The words of what depends on a machine's supervisor."""


def word_of(needs: str, letter: str) -> str:
    """Return the word of this letter among the words of a job, "" if it has none."""
    return next((word for word in needs.split() if word.startswith(letter)), "")


def digest_of(parts: Sequence[str]) -> str:
    """Return a short digest of texts."""
    return _word("", *parts)


@lru_cache(maxsize=4096)
def _word(letter: str, *parts: str) -> str:
    text = "\0".join(parts).encode(errors="surrogateescape")
    return letter + str(_sha1(text, usedforsecurity=False).hexdigest()[:_DIGITS])
