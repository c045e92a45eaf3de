"""Which program a shell means by a name, and in which folder its user is: a job gets both.

Invariant: what the shell finds in a folder of the user's own (an environment, `~/bin`, pyenv's
shims, a loaded module) is requested by its path, and the job does not start on a machine without
that path. A program of the machine (`/usr/bin`) is requested by name, since every machine has its
own.

The folder is named as its user knows it: `/vol/me`, a link to `/mnt/disk3/me` here, may lead
elsewhere on another machine; so a job gets the path as it was typed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

_OF_THE_MACHINE = frozenset(
    (
        *("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"),
        *("/usr/games", "/usr/local/games", "/snap/bin", "/opt/homebrew/bin", "/opt/homebrew/sbin"),
        *("/run/current-system/sw/bin", "/nix/var/nix/profiles/default/bin"),
    )
)


def is_program(path: str) -> bool:
    """Return whether this is a file that may be executed."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)  # noqa: PTH116
    except (OSError, ValueError):
        return False


def program_of(
    name: str, path: str, folder: str, is_one: Callable[[str], bool] = is_program
) -> str:
    """Return the path of the program to run, "" if each machine is to find it by name.

    Args:
        name: the first word of a command.
        path: PATH of the shell.
        folder: where the shell is, for relative folders in PATH.
        is_one: returns whether a path is a program.
    """
    if not name or "/" in name:
        return ""  # a path already
    for one in path.split(":"):
        place = os.path.join(folder, one)  # noqa: PTH118 - speed; and it keeps the path as typed
        found = os.path.join(place, name)  # noqa: PTH118
        if is_one(found):
            return "" if place.rstrip("/") in _OF_THE_MACHINE else found
    return ""


def present_folder(environ: Mapping[str, str]) -> str:
    """Return the current folder as `pwd -L` does: $PWD if it names it, else its path without links.

    Raises:
        OSError: there is no current folder.
    """
    typed = environ.get("PWD", "")
    if typed.startswith("/") and not {".", ".."} & set(typed.split("/")):
        try:
            if os.path.samestat(os.stat(typed), os.stat(".")):  # noqa: PTH116 - speed
                return typed
        except (OSError, ValueError):
            pass  # PWD names nothing: an older shell's
    return str(Path.cwd())
