"""What a parser must know beside a job file's text: where it is submitted, and what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Where(NamedTuple):
    """Where a job file is submitted.

    Args:
        file: the file as its user typed it, for messages; its last part is the default name.
        folder: the present folder, absolute.
        home: the user's home folder.
        host: this machine.
        user: the user's name.
        environ: the submitter's variables.
        args: what was typed after the file.
        umask: of the submitting process.
    """

    file: str
    folder: str
    home: str = "/"
    host: str = ""
    user: str = ""
    environ: Mapping[str, str] = {}
    args: tuple[str, ...] = ()
    umask: int = 0o77


def _nothing(_: str) -> str:
    return ""


def _no_folder(path: str) -> bool:
    return path.endswith("/")


class Edges(NamedTuple):
    """What a parser may ask of the machine; paths are absolute, and all raise `InvalidInputError`.

    Args:
        is_folder: whether this path is a folder.
        read: returns the text of a file.
        run: runs a command line by the shell, in the folder of submission, and returns its output.
        matching: returns the paths that match a glob, sorted.
    """

    is_folder: Callable[[str], bool] = _no_folder
    read: Callable[[str], str] = _nothing
    run: Callable[[str], str] = _nothing
    matching: Callable[[str], tuple[str, ...]] = lambda _: ()
