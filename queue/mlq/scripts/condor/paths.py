"""HTCondor's `$F` functions: the parts of a path. `$Fnx(file)` is its name with its extension."""

from __future__ import annotations

import posixpath


def path_part(letters: str, path: str, folder: str) -> str:
    """Return a part of a path.

    Args:
        letters: which: `p` its folder, `d` the last folder (as often as the letter stands), `n` the
            name, `x` the extension, `f` the whole made absolute, `b` without the outer slash or
            dot, `u` and `w` with slashes of Unix and Windows, `q` in double and `qa` in single
            quotes.
        path: the path, as the macro has it.
        folder: where a relative path begins.
    """
    letters = letters.lower()
    path = path.strip()
    if len(path) > 1 and path[0] == path[-1] == '"':
        path = path[1:-1]
    if "f" in letters:
        path = posixpath.join(folder, path)
    head, tail = posixpath.split(path)
    head = path[: len(path) - len(tail)]
    stem, extension = posixpath.splitext(tail)
    found = ""
    if "p" in letters:
        found = head
    elif "d" in letters:
        folders = [one for one in head.split("/") if one][-letters.count("d") :]
        found = "".join(f"{one}/" for one in folders)
    found += (stem if "n" in letters else "") + (extension if "x" in letters else "")
    if not set(letters) & set("pdnx"):
        found = path
    if "b" in letters:
        found = _bare(found, letters)
    if "w" in letters:
        found = found.replace("/", "\\")
    if "q" in letters:
        found = f"'{found}'" if "a" in letters else f'"{found}"'
    return found


def _bare(found: str, letters: str) -> str:
    if "x" in letters:
        return found.removeprefix(".")
    return found.removesuffix("/")
