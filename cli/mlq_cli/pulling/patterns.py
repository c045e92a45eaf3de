"""What --include and --exclude mean: globs of paths below a job's folder.

As for git and rsync, a pattern without a slash means a file or folder of that name anywhere, one
with a slash means a path from the job's folder on, and a folder means all that is in it. `*` stays
within one component, `**` does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mlq.errors import InvalidInputError

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]")
_MEANINGS = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def chosen_by(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Return whether a path is wanted: one of `include` means it, if there are any, no `exclude`.

    Raises:
        InvalidInputError: one of them is no pattern.
    """
    wanted, unwanted = list(map(_meaning, include)), list(map(_meaning, exclude))

    def is_chosen(path: str) -> bool:
        if wanted and not any(means(path) for means in wanted):
            return False
        return not any(means(path) for means in unwanted)

    return is_chosen


def _meaning(glob: str) -> Callable[[str], bool]:
    text = glob.removeprefix("./").strip("/")
    if not text:
        raise InvalidInputError(f"{glob!r} is no pattern of files", fix="write for example '*.png'")
    try:
        pattern = re.compile(_regex(text), re.DOTALL)
    except re.error as error:
        raise InvalidInputError(f"{glob!r} is no pattern of files", why=str(error)) from None
    if "/" not in glob.removeprefix("./").rstrip("/"):
        return lambda path: any(map(pattern.fullmatch, path.split("/")))
    return lambda path: any(map(pattern.fullmatch, _with_folders(path)))


def _with_folders(path: str) -> list[str]:
    ends = [at for at, one in enumerate(path) if one == "/"]
    return [*(path[:end] for end in ends), path]


def _regex(glob: str) -> str:
    parts, at = [], 0
    for token in _TOKEN.finditer(glob):
        parts.append(re.escape(glob[at : token.start()]))
        parts.append(_MEANINGS.get(token[0]) or _class(token[0]))
        at = token.end()
    return "".join([*parts, re.escape(glob[at:])])


def _class(token: str) -> str:
    inside = token[1:-1].replace("\\", r"\\").replace("[", r"\[")
    if inside.startswith("!"):
        inside = f"^/{inside[1:]}"
    elif inside.startswith("^"):
        inside = f"\\{inside}"
    return f"[{inside}]"
