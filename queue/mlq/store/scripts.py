"""The Lua operations, as the server gets them.

One operation a file under lua/; the shared prelude stands in front of each. A script is sent once
and then named by its SHA-1 (EVALSHA); only short commands send the text itself (EVAL), since
importing hashlib takes longer. Both work on every server since Redis 2.6.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

# Not importlib.resources, whose import takes longer than all the rest of `mlq ls`.
_FOLDER = Path(__file__).with_name("lua")


@cache
def source(name: str) -> str:
    """Return the whole text of an operation, for example `claim`."""
    prelude = (_FOLDER / "_prelude.lua").read_text(encoding="utf-8")
    return prelude + (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


@cache
def sha1(name: str) -> str:
    """Return the name under which the server keeps the operation."""
    import hashlib  # takes as long as a tenth of `mlq ls`

    # The protocol's own digest: EVALSHA names a script by it, it guards nothing.
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()
