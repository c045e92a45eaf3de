"""The files that take a PBS job's output: NAME.oSEQ and NAME.eSEQ, where it was submitted.

The number is given only after the file was read, so the names hold Slurm's patterns, which the
worker fills in (`mlq.jobs.batch_job.Streams`).
"""

from __future__ import annotations

import posixpath
import re

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import Streams
from mlq.scripts.where import Edges, Where

_HOST = re.compile(r"[A-Za-z0-9.-]*:(?=.)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


class Files:
    """Names the files of one job.

    Args:
        name: of the job.
        is_array: whether it is an array.
        where: where it is submitted.
        edges: tells which paths are folders.
    """

    def __init__(self, name: str, is_array: bool, where: Where, edges: Edges) -> None:
        self._name, self._is_array, self._where, self._edges = name, is_array, where, edges

    def streams(self, output: str, error: str, join: str) -> Streams:
        """Return the files.

        Args:
            output: the value of `-o`, "" if it was not given.
            error: that of `-e`.
            join: that of `-j`: `oe` puts all into the output's, `eo` all into the error's.

        Raises:
            InvalidInputError: a path holds what no pattern can hold.
        """
        out, err = self._path(output, "o"), self._path(error, "e")
        if join == "eo":
            return Streams(output=err)
        return Streams(output=out) if join == "oe" or out == err else Streams(output=out, error=err)

    def _path(self, typed: str, letter: str) -> str:
        default = f"{_plain(self._name)}.{letter}%A{'.%a' if self._is_array else ''}"
        if not typed:
            return posixpath.join(_plain(self._where.folder), default)
        path = _HOST.sub("", typed, count=1) if _HOST.match(typed) else typed
        is_folder = self._edges.is_folder(posixpath.join(self._where.folder, path))
        found = _VARIABLE.sub(self._value, _plain(path)).replace("^array_index^", "%a")
        whole = posixpath.join(_plain(self._where.folder), found)
        return posixpath.join(whole, default) if is_folder else posixpath.normpath(whole)

    def _value(self, match: re.Match[str]) -> str:
        """Return what a variable in a path stands for; one that PBS does not fill in stays."""
        task = "%a" if self._is_array else ""
        number = f"%A[{task}]" if self._is_array else "%A"
        values = {
            "PBS_JOBID": f"{number}.mlq",
            "PBS_JOBNAME": _plain(self._name),
            "PBS_ARRAY_INDEX": task,
            "PBS_ARRAYID": task,
            "PBS_O_WORKDIR": _plain(self._where.folder),
            "HOME": _plain(self._where.home),
            "USER": _plain(self._where.user),
        }
        return values.get(match[1] or match[2], match[0])


def _plain(text: str) -> str:
    """Return a text as a pattern that stands for itself."""
    if "\\" in text:
        raise InvalidInputError(f"the path {text!r} cannot be used", why="it has a backslash")
    return text.replace("%", "%%")
