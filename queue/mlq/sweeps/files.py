"""Reads the files that a sweep names: lists, tables, globs. Only this module here does I/O."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlq.errors import InvalidInputError

LARGEST_BYTES = 256 * 1024 * 1024


class Files(NamedTuple):
    """The files as the user of a folder names them.

    Args:
        folder: where relative names begin: the job's folder.
        stdin: returns standard input for `-`, at most so many bytes.
    """

    folder: str
    stdin: Callable[[int], bytes]

    def text(self, name: str) -> str:
        """Return the content of a file; `-` is standard input.

        Raises:
            InvalidInputError: it cannot be read, is too large, or is not text.
        """
        try:
            if name == "-":
                data = self.stdin(LARGEST_BYTES + 1)
            else:
                with (Path(self.folder) / Path(name).expanduser()).open("rb") as file:
                    data = file.read(LARGEST_BYTES + 1)
        except (OSError, RuntimeError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InvalidInputError(f"{name or 'a file'} cannot be read", why=why) from None
        if len(data) > LARGEST_BYTES:
            raise InvalidInputError(f"{name} is too large", why="a sweep reads at most 256 MB")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{name} cannot be read", why=f"it is not UTF-8 text, from byte {error.start} on"
            ) from None

    def lines(self, name: str) -> list[str]:
        """Return the non-empty lines of a file, without space around them."""
        return [line.strip() for line in self.text(name).split("\n") if line.strip()]

    def glob(self, pattern: str) -> list[str]:
        """Return the names that match, sorted, as the pattern spells them; `**` is any depth.

        Raises:
            InvalidInputError: a name is not valid UTF-8.
        """
        base = str(Path(pattern).expanduser()) if pattern.startswith("~") else pattern
        # Not pathlib's: it would drop a leading `./`, and would find hidden files.
        found = sorted(glob.glob(base, root_dir=self.folder, recursive=True))  # noqa: PTH207
        for name in found:
            try:
                name.encode()
            except UnicodeEncodeError:
                raise InvalidInputError(
                    f"glob({pattern}) finds a name that cannot be used",
                    why=f"{name!a} is not UTF-8 text",
                    fix="rename the file, or name the others",
                ) from None
        return found
