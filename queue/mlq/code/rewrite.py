"""Rewrites arguments that name a file of the snapshot by its live path to name the copy: pure.

`python /home/me/project/train.py` would run the live file, whatever folder the job runs in. Such a
path, alone or behind a `=` (`--config=/home/me/project/a.yaml`), becomes relative to the folder
where the job starts; that relative path is the same in the copy. Nothing else is changed: neither
folders, where a job may want to write, nor text for a shell.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Sequence

_SHELLS = ("/bin/sh", "-c")


class Rewriter:
    """Makes paths of one project relative.

    Args:
        projects: the paths by which the live folder is known.
        subfolder: where the job starts in it.
        files: the files in the pack.
    """

    def __init__(self, projects: Iterable[str], subfolder: str, files: Collection[str]) -> None:
        self._prefixes = tuple(f"{one.rstrip('/')}/" for one in projects)
        self._start, self._files = subfolder or ".", files

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Return a command with these paths relative."""
        if tuple(argv[:2]) == _SHELLS or not any(self._may_name(word) for word in argv):
            return tuple(argv)
        return (self.program(argv[0]) or argv[0], *(self._word(word) for word in argv[1:]))

    def program(self, path: str) -> str:
        """Return how to call a program of the snapshot from the copy; "" if it is not in it."""
        inside = self._relative(path)
        return inside if "/" in inside or not inside else f"./{inside}"

    def _may_name(self, word: str) -> bool:
        return any(prefix in word for prefix in self._prefixes)

    def _word(self, word: str) -> str:
        if not self._may_name(word):
            return word
        name, sign, value = ("", "", word) if word.startswith("/") else word.partition("=")
        inside = self._relative(value)
        if not inside:
            return word
        return f"{name}{sign}{inside}" if sign or inside[0] != "-" else f"./{inside}"

    def _relative(self, path: str) -> str:
        """Return the path of a snapshot's file from where the job starts; "" for other paths."""
        for prefix in self._prefixes:
            if path.startswith(prefix):
                inside = posixpath.normpath(path[len(prefix) :])
                if inside in self._files:
                    return posixpath.relpath(inside, self._start)
        return ""
