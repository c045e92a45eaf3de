"""The Lua operations, as the server gets them.

One operation a file under lua/; the shared prelude stands in front of each. Scripts are sent once
and then named by their SHA-1 (EVALSHA), which works on every server since Redis 2.6.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources


@cache
def source(name: str) -> str:
    """Return the whole text of an operation, for example `claim`."""
    folder = resources.files("mlq") / "lua"
    prelude = (folder / "_prelude.lua").read_text(encoding="utf-8")
    return prelude + (folder / f"{name}.lua").read_text(encoding="utf-8")


@cache
def sha1(name: str) -> str:
    """Return the name under which the server keeps the operation."""
    # The protocol's own digest: EVALSHA names a script by it, it guards nothing.
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()
