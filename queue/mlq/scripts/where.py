"""Where a job file is submitted, and by whom: all that a parser must know beside the file's text."""

from __future__ import annotations

from collections.abc import Mapping
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
    """

    file: str
    folder: str
    home: str = "/"
    host: str = ""
    user: str = ""
    environ: Mapping[str, str] = {}
    args: tuple[str, ...] = ()
