"""Makes one of the jobs of a submit file from the values of its commands."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Mapping
from typing import TypeVar

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import Streams
from mlq.scripts.condor.words import arguments, environment
from mlq.scripts.number_mark import NUMBER
from mlq.scripts.script_job import Element

_T = TypeVar("_T")

Values = Mapping[str, str]
"""Expanded values of commands, by their usual names; what the file does not say is absent."""


def element_of(values: Values, folder: str, args: tuple[str, ...]) -> Element:
    """Return a job.

    Args:
        values: what the file says of it.
        folder: where it is submitted.
        args: arguments typed after the file.

    Raises:
        InvalidInputError: a value cannot be used; `what` begins with the command's name.
    """
    cwd = posixpath.normpath(posixpath.join(folder, values.get("initialdir", "")))
    program = values.get("executable", "")
    if not program:
        raise InvalidInputError("executable: the file names no program")
    _has_no_number("executable", program)
    _has_no_number("initialdir", cwd)
    words = _named("arguments", lambda: arguments(values.get("arguments", "")))
    env = _named("environment", lambda: environment(values.get("environment", "")))
    argv = (_program(program, folder, cwd), *words, *args)
    source = values.get("input", "")
    if source and source != "/dev/null":
        # The shell opens the file, then becomes the program.
        path = shlex.quote(posixpath.join(cwd, source))
        argv = ("/bin/sh", "-c", f'exec "$0" "$@" < {path}', *argv)
    return Element(argv, env, _streams(values, cwd), cwd)


def _named(command: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except InvalidInputError as error:
        what = f"{command}: {error.what}"
        raise InvalidInputError(what, why=error.why, fix=error.fix) from None


def _has_no_number(command: str, value: str) -> None:
    if NUMBER in value:
        why = "the number is known only after submission"
        raise InvalidInputError(f"{command}: $(Cluster) cannot be part of it", why=why)


def _program(typed: str, folder: str, cwd: str) -> str:
    """Return the program's path; a relative one begins where the file was submitted.

    It stays relative, so that a job in a copy of its project runs the copy of the program.
    """
    if typed.startswith("/"):
        return typed
    path = posixpath.relpath(posixpath.join(folder, typed), cwd)
    return path if "/" in path else f"./{path}"


def _streams(values: Values, cwd: str) -> Streams | None:
    output, error = (_path(values.get(one, ""), cwd) for one in ("output", "error"))
    if not output and not error:
        return None
    return Streams(output=output, error="" if error == output else error)


def _path(typed: str, cwd: str) -> str:
    """Return a file of the output; `mlq.jobs.batch_job.Streams` says how patterns stand in it."""
    if not typed:
        return ""
    if "\\" in typed:
        raise InvalidInputError(f"output: the path {typed!r} cannot be used: it has a backslash")
    path = posixpath.normpath(posixpath.join(cwd, typed))
    return path.replace("%", "%%").replace(NUMBER, "%A")
