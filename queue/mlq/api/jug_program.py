"""Looks at a jug program before it is enqueued: its Python, its jugdir, and how far it is.

Whatever would make each worker fail is found here, while its user still looks: jug that is missing,
a program that cannot be loaded, a jugdir that no worker can use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlq.api.jug_worker import Program, ask
from mlq.errors import InvalidInputError
from mlq.jug.decide import Survey
from mlq.submit.programs import is_program, program_of
from mlq.submit.python_env import active

_LINE_BYTES = 256


class Found(NamedTuple):
    """A program, without its run, and how far it is."""

    program: Program
    survey: Survey


def find(jugfile: str, options: Sequence[str], folder: str, environ: Mapping[str, str]) -> Found:
    """Look at a program.

    Args:
        jugfile: as typed, relative to the folder.
        options: of `jug execute`, `--jugdir` among them; behind `--` arguments of the program.
        folder: where its jobs will run, absolute.
        environ: variables of the caller's shell.

    Raises:
        InvalidInputError: it cannot be run; the message says why.
    """
    if not (Path(folder) / jugfile).is_file():
        raise InvalidInputError(f"there is no jug program {jugfile}", why=f"looked in {folder}")
    if not jugfile.endswith(".py"):
        raise InvalidInputError(f"{jugfile} cannot be used", why="a jug program is called *.py")
    end = options.index("--") if "--" in options else len(options)
    options, user_args = [*options[:end]], [*options[end + 1 :]]
    python, answer = _asked(jugfile, options, user_args, folder, environ)
    jugdir = _checked_jugdir(str(answer["jugdir"]), folder)
    program = Program(jugfile, jugdir, python, options, user_args, "")
    far = ask(python, "survey", program._asdict(), folder)
    if "error" in far:
        raise InvalidInputError(f"{jugfile} cannot be loaded", why=str(far["error"]))
    return Found(program, Survey.of(far))


def _asked(
    jugfile: str,
    options: Sequence[str],
    user_args: Sequence[str],
    folder: str,
    environ: Mapping[str, str],
) -> tuple[str, Mapping[str, Any]]:
    """Return the Python that has jug, and how that jug understands the program and its options."""
    for python in _pythons(folder, environ):
        said = {"jugfile": jugfile, "options": [*options], "user_args": [*user_args]}
        answer = ask(python, "ask", said, folder)
        if answer.get("missing"):
            continue
        if "error" in answer:
            raise InvalidInputError("jug cannot be asked", why=str(answer["error"]))
        if not answer.get("fails"):
            raise InvalidInputError(
                f"jug {answer.get('version')} is too old",
                why="it does not remember which tasks failed",
                fix=f"{python} -m pip install --upgrade jug",
            )
        return python, answer
    raise InvalidInputError(
        "jug is missing",
        why="neither `jug` nor a Python in PATH has it",
        fix="activate the environment that has it, or: python -m pip install jug",
    )


def _pythons(folder: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Return the interpreters that may have jug: that of `jug` itself first."""
    path = active(environ).path or environ.get("PATH", "")
    jug = _in(path, "jug", folder)
    if jug:
        with Path(jug).open("rb") as file:
            line = file.readline(_LINE_BYTES).decode(errors="replace")
        words = line.removeprefix("#!").split()
        if line.startswith("#!") and words and is_program(words[0]) and "python" in words[0]:
            yield words[0]
    for name in ("python", "python3"):
        if found := _in(path, name, folder):
            yield found


def _in(path: str, name: str, folder: str) -> str:
    """Return the path of a program, "" if there is none."""
    own = program_of(name, path, folder)
    if own:
        return own
    places = (os.path.join(folder, one, name) for one in path.split(":"))  # noqa: PTH118 - as typed
    return next((one for one in places if is_program(one)), "")


def _checked_jugdir(jugdir: str, folder: str) -> str:
    kind, colon, place = jugdir.partition(":")
    if kind in ("redis", "dict_store"):
        raise InvalidInputError(
            f"the jugdir {jugdir} cannot be used",
            why="jug can use neither the socket nor the password of the queue's Redis"
            if kind == "redis"
            else "it is the memory of one process, and workers have one each",
            fix="use a folder that all machines see: --jugdir DIR",
        )
    is_kept_alive = bool(colon) and kind == "file_keepalive"
    absolute = str(Path(folder) / (place if is_kept_alive else jugdir))
    return f"file_keepalive:{absolute}" if is_kept_alive else absolute
