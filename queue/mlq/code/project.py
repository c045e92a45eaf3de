"""Which project a folder belongs to: the first step of a snapshot.

The root of a git repository, else the folder itself; never a home folder or `/`. Paths stay as
their user types them, because a link may lead elsewhere on another machine; where a typed path
crosses a link out of the project, git follows the link, and so do we.
"""

from __future__ import annotations

import os
from typing import NamedTuple

_GIT = ".git"


class Project(NamedTuple):
    """The project whose code is taken.

    Args:
        folder: the live folder, absolute.
        subfolder: where the job starts, relative to it; "" is the project itself.
        has_git: whether the folder is the root of a git repository.
    """

    folder: str
    subfolder: str
    has_git: bool

    @property
    def start(self) -> str:
        """The live folder in which the job was enqueued."""
        return f"{self.folder}/{self.subfolder}" if self.subfolder else self.folder

    def whole(self) -> Project:
        """The same project, started in its own folder."""
        return self._replace(subfolder="")

    def alone(self) -> Project:
        """The folder in which the job starts, as a project of its own."""
        return Project(self.start, "", has_git=False)


def project_of(folder: str, home: str) -> Project:
    """Return the project that a folder belongs to, judged by names alone.

    Args:
        folder: absolute, as typed.
        home: the user's home folder; a `.git` in it does not make it a project.
    """
    real = os.path.realpath(folder)
    plain = os.path.normpath(folder)
    if os.path.realpath(plain) != real:
        plain = real  # `..` after a link
    for one in (plain, real):
        root = root_above(one)
        subfolder = one[len(root) :].strip("/")
        if not root or os.path.realpath(root) != real[: len(real) - len(subfolder)].rstrip("/"):
            continue  # a link on the path leads out of it
        if is_too_much(root, home):
            break
        return Project(root, subfolder, has_git=True)
    return Project(plain, "", has_git=False)


def is_too_much(folder: str, home: str) -> bool:
    """Return whether a folder is a home folder, `/`, or holds the home folder."""
    found = os.path.realpath(folder)
    return f"{os.path.realpath(home)}/".startswith(f"{found.rstrip('/')}/")


def root_above(folder: str) -> str:
    """Return the nearest folder, from this one upwards, that has a `.git`; "" if there is none."""
    while not os.path.lexists(f"{folder}/{_GIT}"):
        if folder in ("/", ""):
            return ""
        folder = os.path.dirname(folder)  # noqa: PTH120 - as typed
    return folder
