"""How much code one pack may hold, and the error if a project has more: pure.

A pack of data would be copied for each job, through NFS. So it is refused, and the error names the
largest files, because a user cannot guess which of 40,000 files should not have been in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mlq.errors import InvalidInputError
from mlq.units import format_bytes

MOST_FILES, MOST_BYTES = 10_000, 50 << 20
_NAMED = 5


def check_size(folder: str, sizes: Mapping[str, int]) -> None:
    """Make sure that a project is small enough to be taken.

    Args:
        folder: the project.
        sizes: the size of each file that is to be taken, in bytes.

    Raises:
        InvalidInputError: it is not; the message names the largest files and the fullest folder.
    """
    total = sum(sizes.values())
    if len(sizes) <= MOST_FILES and total <= MOST_BYTES:
        return
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:_NAMED]
    named = ", ".join(f"{shown(path)} ({format_bytes(sizes[path])})" for path in largest)
    fullest, count = Counter(path.rpartition("/")[0] or "." for path in sizes).most_common(1)[0]
    raise InvalidInputError(
        f"the code in {folder} is too much to take along",
        why=f"{len(sizes)} files of {format_bytes(total)}, where {MOST_FILES} files and"
        f" {format_bytes(MOST_BYTES)} are the most; the largest files: {named};"
        f" the fullest folder: {shown(fullest)} ({count} files)",
        fix="name what is no code in .gitignore or .mlqignore: the job then sees it through a"
        " link; or run the job in the live folder: --in-place",
    )


def shown(path: str) -> str:
    """Return a path as a message can show it: a path with unprintable characters is quoted."""
    return path if path.isprintable() else ascii(path)
